// SPDX-License-Identifier: Apache-2.0
#include "device/config.hpp"

#include "base/config_table.hpp"
#include "device/naf_choice.hpp"
#include "kdf/local_mt.hpp"

#include <filesystem>

namespace mtkey::device {
namespace {

Result<void> read_key_center(ConfigTable& root, Config& config) {
    auto table = MTKEY_TRY(root.table("key_center"));
    auto& tls = config.key_center.tls;
    tls.ca_file = table.resolve(MTKEY_TRY(table.text("ca")));
    tls.certificate_file = table.resolve(MTKEY_TRY(table.text("certificate")));
    tls.private_key_file = table.resolve(MTKEY_TRY(table.text("private_key")));
    auto& suffixes = config.procedure.allowed_suffixes;
    for (const auto& suffix : MTKEY_TRY(table.texts_or_none("allowed_suffixes"))) {
        const auto canonical = kdf::canonical_fqdn(suffix);
        if (!canonical) {
            return table.error("allowed_suffixes",
                               "holds '" + suffix + "', which is no domain name",
                               "write it without a leading dot and with at least two labels");
        }
        suffixes.push_back(*canonical);
    }
    if (suffixes.empty()) {
        return table.error("allowed_suffixes", "names no domain",
                           R"(write the operator's, like ["3gppnetwork.org"])");
    }
    auto addresses = MTKEY_TRY(table.table("address"));
    for (const auto& name : addresses.keys()) {
        const std::string address = MTKEY_TRY(addresses.text(name));
        const auto fqdn = kdf::canonical_fqdn(name);
        if (!fqdn || !http::parse_address(address, 443)) {
            return addresses.error(name, "is not valid",
                                   "write \"key.center.fqdn\" = \"host:port\"");
        }
        config.key_center.addresses[*fqdn] = address;
    }
    return table.finish();
}

Result<void> read_transport(ConfigTable& root, Config& config) {
    auto table = MTKEY_TRY(root.table("transport"));
    auto& transport = config.transport;
    transport.name = "device";
    transport.role = transports::Role::Connect;
    transport.plugin = MTKEY_TRY(table.text("plugin"));
    transport.plugin_dir =
        table.resolve(MTKEY_TRY(table.text_or("plugin_dir", transports::default_plugin_dir())));
    // Everything else is the plugin's, which refuses what it does not know.
    for (const auto& key : table.keys()) {
        if (key != "plugin" && key != "plugin_dir") {
            transport.options[key] = MTKEY_TRY(table.scalar_as_text(key));
        }
    }
    return {};
}

Result<void> read_limits(ConfigTable& root, Config& config) {
    auto table = MTKEY_TRY(root.table("limits"));
    config.total_limit =
        std::chrono::seconds(MTKEY_TRY(table.number_or("total_seconds", 180, 1, 3600)));
    config.link_limit =
        std::chrono::seconds(MTKEY_TRY(table.number_or("link_seconds", 20, 1, 3600)));
    return table.finish();
}

Result<Config> read(ConfigTable root) {
    Config config;
    const auto device_id = kdf::canonical_device_id(MTKEY_TRY(root.text("device_id")));
    if (!device_id) {
        return root.error("device_id", "is no Device_ID",
                          "write lower-case printable ASCII without spaces, like \"urn:uuid:...\"");
    }
    config.procedure.device_id = *device_id;
    config.keys.state_dir = root.resolve(MTKEY_TRY(root.text("state_dir")));
    for (auto [name, path] : {std::pair{"runtime_dir", &config.keys.runtime_dir},
                              std::pair{"store_key_file", &config.keys.store_key_file}}) {
        if (root.has(name)) {
            *path = root.resolve(MTKEY_TRY(root.text(name)));
        }
    }
    config.procedure.kdf_profile = MTKEY_TRY(root.text_or("kdf_profile", "draft-1"));
    if (const auto known = kdf::find_profile(config.procedure.kdf_profile); !known) {
        return root.error("kdf_profile", "names no profile that this program has");
    }
    MTKEY_CHECK(read_key_center(root, config));
    if (root.has("naf")) {
        const auto fqdn = kdf::canonical_fqdn(MTKEY_TRY(root.text("naf")));
        if (!fqdn || !fqdn_permitted(*fqdn, config.procedure.allowed_suffixes)) {
            return root.error("naf", "is no domain name under key_center.allowed_suffixes");
        }
        config.procedure.preferred_naf = *fqdn;
    }
    MTKEY_CHECK(read_transport(root, config));
    MTKEY_CHECK(read_limits(root, config));
    MTKEY_CHECK(root.finish());
    return config;
}

} // namespace

Result<Config> load_config(const std::string& path) {
    // Absolute, so that what is resolved against it is: plugins are loaded by absolute path only.
    std::error_code problem;
    const auto absolute = std::filesystem::absolute(path, problem);
    return read(MTKEY_TRY(ConfigTable::load(problem ? path : absolute.string(), Trust::Config)));
}

Result<Config> parse_config(std::string_view text, const std::string& path) {
    return read(MTKEY_TRY(ConfigTable::parse(text, path)));
}

} // namespace mtkey::device
