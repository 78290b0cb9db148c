// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/config.hpp"

#include "base/config_table.hpp"
#include "kdf/naf_id.hpp"
#include "network/common/config_reading.hpp"

#include <utility>

namespace mtkey::bsf {
namespace {

using network::read_address;
using network::read_fqdn;
using network::read_path;

constexpr std::int64_t kLongestLifetime = 366LL * 24 * 3600;
constexpr std::int64_t kMostNonceData = 256;
constexpr unsigned kUbThreads = 4;
constexpr unsigned kUbThreadsThatWait = 16; // for av_command, each with a child process

Result<void> read_certificate(ConfigTable& table, http::ServerSettings& out) {
    out.tls = true;
    out.tls_settings.certificate_file = MTKEY_TRY(read_path(table, "certificate"));
    out.tls_settings.private_key_file = MTKEY_TRY(read_path(table, "private_key"));
    return {};
}

Result<void> read_ub(ConfigTable ub, http::ServerSettings& out) {
    out.tls = false;
    out.tls_settings.require_client_certificate = false;
    out.listen = MTKEY_TRY(read_address(ub, "listen"));
    const bool secured = ub.has("tls");
    auto tls = MTKEY_TRY(ub.table("tls"));
    if (secured) {
        MTKEY_CHECK(read_certificate(tls, out));
    }
    MTKEY_CHECK(tls.finish());
    return ub.finish();
}

Result<NafClient> read_naf(ConfigTable& naf) {
    NafClient out;
    out.client = MTKEY_TRY(read_fqdn(naf, "client"));
    for (const auto& text : MTKEY_TRY(naf.texts_or_none("fqdns"))) {
        auto name = kdf::canonical_fqdn(text);
        if (!name) {
            return naf.error("fqdns", "holds something that is no fully qualified domain name");
        }
        out.fqdns.push_back(std::move(*name));
    }
    if (out.fqdns.empty()) {
        return naf.error("fqdns", "names no NAF",
                         "write the FQDNs whose keys this client may ask for");
    }
    MTKEY_CHECK(naf.finish());
    return out;
}

Result<void> read_zn(ConfigTable zn, Config& out) {
    auto& server = out.zn_server;
    server.listen = MTKEY_TRY(read_address(zn, "listen"));
    MTKEY_CHECK(read_certificate(zn, server));
    server.tls_settings.client_ca_files = {MTKEY_TRY(read_path(zn, "client_ca"))};
    server.tls_settings.client_crl_file = MTKEY_TRY(network::read_crl(zn, "client_crl"));
    server.tls_settings.require_client_certificate = true;
    for (auto& naf : MTKEY_TRY(zn.tables("naf"))) {
        out.naf_clients.push_back(MTKEY_TRY(read_naf(naf)));
    }
    if (out.naf_clients.empty()) {
        return zn.error("naf", "is missing", "write at least one [[zn.naf]] with client and fqdns");
    }
    return zn.finish();
}

Result<ExternalCommand> read_av_command(ConfigTable& root) {
    ExternalCommand out;
    out.arguments = MTKEY_TRY(root.texts_or_none("av_command"));
    if (out.arguments.empty() || !out.arguments.front().starts_with('/')) {
        return root.error("av_command", "does not begin with an absolute path",
                          R"(write ["/path/of/program", "argument", ...])");
    }
    out.limit = std::chrono::seconds(
        MTKEY_TRY(root.number_or("av_command_seconds", std::chrono::seconds(5).count(), 1, 60)));
    return out;
}

/// Where vectors come from, and where contexts are kept.
Result<void> read_home(ConfigTable& root, Config& out) {
    if (root.has("database")) {
        out.database = MTKEY_TRY(read_path(root, "database"));
    }
    if (root.has("subscribers")) {
        out.subscribers = MTKEY_TRY(read_path(root, "subscribers"));
    }
    const auto scheme =
        MTKEY_TRY(root.word_or("sqn", "fixed-ind", {"fixed-ind", "cycling-ind", "time"}));
    out.sqn = scheme == "time"          ? aka::SqnScheme::Time
              : scheme == "cycling-ind" ? aka::SqnScheme::CyclingInd
                                        : aka::SqnScheme::FixedInd;
    if (root.has("av_command")) {
        if (!out.subscribers.empty() || root.has("sqn")) {
            return root.error(out.subscribers.empty() ? "sqn" : "subscribers",
                              "stands beside av_command, which makes the vectors",
                              "write one of the two");
        }
        out.av_command = MTKEY_TRY(read_av_command(root));
    } else if (out.subscribers.empty() && out.database.empty()) {
        return root.error("subscribers", "is missing, and database too",
                          "write the path of a subscriber file, of a database, or both");
    }
    out.ub_server.threads = out.av_command ? kUbThreadsThatWait : kUbThreads;
    return {};
}

Result<void> read_ub_choices(ConfigTable& root, UbSettings& out) {
    out.lifetime = std::chrono::seconds(
        MTKEY_TRY(root.number_or("lifetime_seconds", out.lifetime.count(), 1, kLongestLifetime)));
    out.next_nonce = MTKEY_TRY(root.flag_or("next_nonce", false));
    out.nonce_data =
        static_cast<std::size_t>(MTKEY_TRY(root.number_or("nonce_data", 0, 0, kMostNonceData)));
    const auto b_tid = MTKEY_TRY(root.word_or("b_tid", "rand", {"rand", "opaque"}));
    out.b_tid = b_tid == "rand" ? BtidForm::Rand : BtidForm::Opaque;
    auto rules = MTKEY_TRY(root.table("gba_u"));
    out.gba_u.modify_mac = MTKEY_TRY(rules.flag_or("modify_mac", true));
    out.gba_u.flip_res = MTKEY_TRY(rules.flag_or("flip_res", true));
    return rules.finish();
}

Result<std::string> read_metrics(ConfigTable metrics) {
    std::string out;
    if (metrics.has("listen")) {
        out = MTKEY_TRY(read_address(metrics, "listen"));
        // As numbers: a name is whatever the resolver says.
        const auto host = out.substr(0, out.rfind(':'));
        if (host.find_first_not_of("0123456789.") == std::string::npos ? !host.starts_with("127.")
                                                                       : host != "[::1]") {
            return metrics.error("listen", "is not an address of the loopback interface",
                                 "write \"127.0.0.1:port\"");
        }
    }
    MTKEY_CHECK(metrics.finish());
    return out;
}

Result<Config> read_root(ConfigTable root) {
    Config out;
    out.ub.fqdn = MTKEY_TRY(read_fqdn(root, "fqdn"));
    MTKEY_CHECK(read_home(root, out));
    MTKEY_CHECK(read_ub_choices(root, out.ub));
    out.metrics_listen = MTKEY_TRY(read_metrics(MTKEY_TRY(root.table("metrics"))));
    MTKEY_CHECK(read_ub(MTKEY_TRY(root.table("ub")), out.ub_server));
    out.ub.tls = out.ub_server.tls;
    MTKEY_CHECK(read_zn(MTKEY_TRY(root.table("zn")), out));
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

} // namespace mtkey::bsf
