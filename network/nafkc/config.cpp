// SPDX-License-Identifier: Apache-2.0
#include "network/nafkc/config.hpp"

#include "base/config_table.hpp"
#include "base/encoding.hpp"
#include "network/common/config_reading.hpp"

#include <algorithm>
#include <utility>

namespace mtkey::nafkc {
namespace {

using network::read_address;
using network::read_fqdn;
using network::read_path;

constexpr std::int64_t kLongestLifetime = 366LL * 24 * 3600;
/// One thread waits for the BSF, others go on.
constexpr unsigned kThreads = 4;
constexpr std::size_t kLongestSecretFile = 256;
constexpr std::size_t kShortestSecret = 16;
constexpr std::size_t kLongestSecret = 64;

Result<std::string> read_optional_path(ConfigTable& table, std::string_view key) {
    return table.has(key) ? read_path(table, key) : Result<std::string>("");
}

Result<kdf::NafId> read_naf(ConfigTable& naf) {
    kdf::NafId out;
    out.fqdn = MTKEY_TRY(read_fqdn(naf, "fqdn"));
    const auto ua = kdf::parse_ua_id(MTKEY_TRY(naf.text_or("ua", to_hex(kdf::kDefaultUaId))));
    if (!ua) {
        return naf.error("ua", "is no Ua security protocol identifier",
                         "write ten hex digits like \"ff00033259\"");
    }
    out.ua = *ua;
    MTKEY_CHECK(naf.finish());
    return out;
}

Result<void> read_nafs(ConfigTable& root, KeyCenterSettings& out) {
    for (auto& naf : MTKEY_TRY(root.tables("naf"))) {
        auto naf_id = MTKEY_TRY(read_naf(naf));
        if (std::ranges::find(out.nafs, naf_id) != out.nafs.end()) {
            return root.error("naf", "names " + naf_id.text() + " twice");
        }
        out.nafs.push_back(std::move(naf_id));
    }
    if (out.nafs.empty()) {
        return root.error("naf", "is missing", "write at least one [[naf]] with fqdn and ua");
    }
    return {};
}

Result<void> read_server(ConfigTable& root, http::ServerSettings& out) {
    out.listen = MTKEY_TRY(read_address(root, "listen"));
    out.tls = true;
    out.threads = kThreads;
    out.body_limit = keycenter::kDocumentLimit;
    out.tls_settings.certificate_file = MTKEY_TRY(read_path(root, "certificate"));
    out.tls_settings.private_key_file = MTKEY_TRY(read_path(root, "private_key"));
    out.tls_settings.client_crl_file = MTKEY_TRY(network::read_crl(root, "device_crl"));
    out.tls_settings.require_client_certificate = true;
    return {};
}

Result<DeviceCa> read_device_ca(ConfigTable& table) {
    DeviceCa out;
    out.file = MTKEY_TRY(read_path(table, "file"));
    out.device_ids = MTKEY_TRY(table.texts_or_none("device_ids"));
    const bool bad = std::ranges::any_of(out.device_ids, [](const std::string& pattern) {
        return pattern.empty() || pattern.find('*') < pattern.size() - 1;
    });
    if (out.device_ids.empty() || bad) {
        return table.error("device_ids", bad ? "holds what is no Device_ID" : "names no device",
                           "write Device_IDs; a '*' at the end stands for anything");
    }
    MTKEY_CHECK(table.finish());
    return out;
}

/// Either [[device_ca]] or one file that may vouch for every device.
Result<void> read_device_cas(ConfigTable& root, Config& out) {
    if (root.text("device_ca")) {
        out.key_center.device_cas.push_back({MTKEY_TRY(read_path(root, "device_ca")), {"*"}, {}});
    } else {
        for (auto& table : MTKEY_TRY(root.tables("device_ca"))) {
            out.key_center.device_cas.push_back(MTKEY_TRY(read_device_ca(table)));
        }
    }
    if (out.key_center.device_cas.empty()) {
        return root.error("device_ca", "is missing",
                          "write a [[device_ca]] with file and device_ids for each CA of devices");
    }
    for (const auto& ca : out.key_center.device_cas) {
        out.server.tls_settings.client_ca_files.push_back(ca.file);
    }
    return {};
}

Result<void> read_bsf(ConfigTable bsf, http::ClientSettings& out) {
    out.fqdn = MTKEY_TRY(read_fqdn(bsf, "fqdn"));
    if (bsf.has("address")) {
        out.address = MTKEY_TRY(read_address(bsf, "address"));
    }
    out.tls = true;
    out.tls_settings.ca_file = MTKEY_TRY(read_path(bsf, "ca"));
    out.tls_settings.certificate_file = MTKEY_TRY(read_path(bsf, "certificate"));
    out.tls_settings.private_key_file = MTKEY_TRY(read_path(bsf, "private_key"));
    // Below the patience of a device, so that it hears why.
    const auto seconds = MTKEY_TRY(bsf.number_or("timeout_seconds", 10, 1, 60));
    out.connect_timeout = std::chrono::seconds(seconds);
    out.exchange_timeout = std::chrono::seconds(seconds);
    out.unreachable = Errc::BsfUnreachable;
    return bsf.finish();
}

Result<Config> read_root(ConfigTable root) {
    Config out;
    MTKEY_CHECK(read_server(root, out.server));
    MTKEY_CHECK(read_device_cas(root, out));
    auto& settings = out.key_center;
    settings.kdf_profile = MTKEY_TRY(root.text_or("kdf_profile", settings.kdf_profile));
    if (!kdf::find_profile(settings.kdf_profile)) {
        return root.error("kdf_profile", "is not built in", "write \"draft-1\"");
    }
    settings.require_gba_u = MTKEY_TRY(root.flag_or("require_gba_u", settings.require_gba_u));
    settings.allow_2g = MTKEY_TRY(root.flag_or("allow_2g", settings.allow_2g));
    settings.lifetime_cap = std::chrono::seconds(MTKEY_TRY(root.number_or(
        "lifetime_cap_seconds", settings.lifetime_cap.count(), 1, kLongestLifetime)));
    out.mt_id_secret_file = MTKEY_TRY(read_optional_path(root, "mt_id_secret_file"));
    MTKEY_CHECK(read_nafs(root, settings));
    MTKEY_CHECK(read_bsf(MTKEY_TRY(root.table("bsf")), out.bsf));
    MTKEY_CHECK(root.finish());
    return out;
}

} // namespace

Result<Config> parse_config(std::string_view text, const std::string& file) {
    return read_root(MTKEY_TRY(ConfigTable::parse(text, file)));
}

Result<Config> read_config(const std::string& path) {
    auto root = ConfigTable::load(path, Trust::Config);
    if (!root) { // without a readable file there is nothing to run: one exit status for both
        return fail(Errc::ConfigInvalid, root.error().context, root.error().detail);
    }
    return read_root(std::move(*root));
}

Result<SecretBytes> read_mt_id_secret(const std::string& path) {
    const auto content = read_secret_file(path, kLongestSecretFile);
    if (!content) {
        return fail(Errc::ConfigInvalid, content.error().context, content.error().detail);
    }
    auto text = as_text(content->reveal());
    while (text.ends_with('\n') || text.ends_with('\r')) {
        text.remove_suffix(1);
    }
    auto secret = secret_from_hex(text);
    if (!secret || secret->size() < kShortestSecret || secret->size() > kLongestSecret) {
        return fail(Errc::ConfigInvalid, path +
                                             " does not hold 32 to 128 hex digits; write some with "
                                             "\"openssl rand -hex 32\"");
    }
    return secret;
}

} // namespace mtkey::nafkc
