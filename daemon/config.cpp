// SPDX-License-Identifier: Apache-2.0
#include "daemon/config.hpp"

#include "base/config_table.hpp"
#include "kdf/local_mt.hpp"
#include "keys/bootstrap_memory.hpp"
#include "local/messages.hpp"
#include "uicc/at_tty.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cstdlib>
#include <net/if.h>

#ifndef MTKEY_PLUGIN_DIR
#define MTKEY_PLUGIN_DIR "/usr/lib/mtkeyd/plugins"
#endif

namespace mtkey::daemon {
namespace {

/// Without a CR in it, it is one line. None that shows a PIN: it would be shown with every
/// reconnection, whatever the card has answered; and none that reaches the card behind our back.
bool is_init_command(const std::string& text) {
    std::string upper = text;
    std::ranges::transform(upper, upper.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c; });
    for (const char* name : {"CPIN", "CLCK", "CPWD", "CSIM", "CGLA", "CCHO", "CCHC", "CRSM"}) {
        if (upper.contains(name)) {
            return false;
        }
    }
    return upper.size() > 2 && upper.size() <= 200 && upper.starts_with("AT") &&
           std::ranges::all_of(upper, [](char c) { return c >= ' ' && c <= '~'; });
}

Result<ModemConfig> read_modem(ConfigTable table) {
    ModemConfig out;
    out.device = MTKEY_TRY(table.text_or("device", ""));
    if (!out.device.empty() && (!out.device.starts_with('/') || out.device.ends_with('/'))) {
        return table.error("device", "is no absolute path of a file",
                           "write e.g. \"/dev/ttyUSB2\"");
    }
    const auto access = MTKEY_TRY(table.word_or("access", "auto", {"auto", "session", "csim"}));
    out.access = access == "auto"      ? uicc::AtAccess::Any
                 : access == "session" ? uicc::AtAccess::Session
                                       : uicc::AtAccess::Csim;
    out.baud = static_cast<unsigned>(MTKEY_TRY(table.number_or("baud", 115200, 1, 4000000)));
    if (!uicc::is_at_speed(out.baud)) {
        return table.error("baud", "is no speed of this system", "write 115200");
    }
    out.init = MTKEY_TRY(table.texts_or_none("init"));
    if (!std::ranges::all_of(out.init, is_init_command)) {
        return table.error("init", "holds what is no AT command, or one that reaches the card",
                           "write e.g. [\"AT+QSIMSTAT=1\"]");
    }
    MTKEY_CHECK(table.finish());
    return out;
}

Result<UiccConfig> read_uicc(ConfigTable table) {
    UiccConfig out;
    out.reader = MTKEY_TRY(table.text_or("reader", "*"));
    out.ignore = MTKEY_TRY(table.texts_or_none("ignore"));
    out.allow_virtual = MTKEY_TRY(table.flag_or("allow_virtual", false));
    out.iccid = MTKEY_TRY(table.text_or("iccid", ""));
    std::ranges::transform(out.iccid, out.iccid.begin(),
                           [](char c) { return c >= 'a' && c <= 'e' ? char(c - 'a' + 'A') : c; });
    const auto iccid_digit = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'E');
    };
    if (!out.iccid.empty() && (out.iccid.size() < 10 || out.iccid.size() > 20 ||
                               !std::ranges::all_of(out.iccid, iccid_digit))) {
        return table.error("iccid", "is no ICCID",
                           "write the 18 to 20 digits that `mtkey-card info` shows");
    }
    auto application =
        uicc::parse_application_choice(MTKEY_TRY(table.text_or("application", "auto")));
    if (!application) {
        return table.error("application", "is no application",
                           "write \"auto\", \"usim\", \"isim\" or an AID of 5 to 16 octets in hex");
    }
    out.application = *std::move(application);
    out.exclusive =
        MTKEY_TRY(table.word_or("access", "exclusive", {"exclusive", "shared"})) == "exclusive";
    out.pin_file = table.resolve(MTKEY_TRY(table.text_or("pin_file", "")));
    const auto length = MTKEY_TRY(table.number_or("mnc_length", 0, 0, 3));
    if (length == 1) {
        return table.error("mnc_length", "is 1", "write 2 or 3");
    }
    out.mnc_length = static_cast<unsigned>(length);
    out.modem = MTKEY_TRY(read_modem(MTKEY_TRY(table.table("modem"))));
    if (!out.modem.device.empty()) {
        for (const char* key : {"reader", "ignore", "allow_virtual", "access"}) {
            if (table.has(key)) {
                return table.error(key, "is about readers of PC/SC, and [uicc.modem] names a modem",
                                   "leave one of them out");
            }
        }
    }
    MTKEY_CHECK(table.finish());
    return out;
}

Result<GbaConfig> read_gba(ConfigTable table) {
    GbaConfig out;
    const auto mode =
        MTKEY_TRY(table.word_or("mode", "prefer-uicc", {"prefer-uicc", "require-uicc", "me-only"}));
    out.mode = mode == "prefer-uicc"    ? gba::ModePolicy::PreferUicc
               : mode == "require-uicc" ? gba::ModePolicy::RequireUicc
                                        : gba::ModePolicy::MeOnly;
    out.allow_downgrade = MTKEY_TRY(table.flag_or("allow_downgrade", false));
    const auto tmpi = MTKEY_TRY(table.word_or("tmpi", "auto", {"auto", "always", "never"}));
    out.tmpi = tmpi == "auto"     ? gba::TmpiPolicy::Auto
               : tmpi == "always" ? gba::TmpiPolicy::Always
                                  : gba::TmpiPolicy::Never;
    out.allow_2g = MTKEY_TRY(table.flag_or("allow_2g", false));
    const auto limit = [&table](const char* key, unsigned& value) -> Result<void> {
        value = static_cast<unsigned>(MTKEY_TRY(table.number_or(key, value, 1, keys::kMostRuns)));
        return {};
    };
    MTKEY_CHECK(limit("runs_per_minute", out.limits.per_minute));
    MTKEY_CHECK(limit("runs_per_hour", out.limits.per_hour));
    MTKEY_CHECK(limit("runs_per_day", out.limits.per_day));
    MTKEY_CHECK(table.finish());
    return out;
}

/// A SIM authenticates no network: TLS must. And in a modem it is the modem's: nobody tells whether
/// the card there is one, or a UICC in a GSM session.
Result<void> check_2g(const Config& config, const ConfigTable& gba) {
    if (config.gba.allow_2g && !config.bsf.tls) {
        return gba.error("allow_2g", "is true without TLS to the BSF",
                         "write tls = true under [bsf], or leave it out");
    }
    if (config.gba.allow_2g && !config.uicc.modem.device.empty()) {
        return gba.error("allow_2g", "is true with the card in a modem",
                         "put the SIM in a reader, or leave it out");
    }
    return {};
}

bool is_ip_address(const std::string& text) {
    in6_addr any{};
    return ::inet_pton(AF_INET, text.c_str(), &any) == 1 ||
           ::inet_pton(AF_INET6, text.c_str(), &any) == 1;
}

Result<BsfConfig> read_bsf(ConfigTable table) {
    BsfConfig out;
    out.fqdn = MTKEY_TRY(table.text_or("fqdn", ""));
    if (!out.fqdn.empty()) {
        const auto fqdn = kdf::canonical_fqdn(out.fqdn);
        if (!fqdn) {
            return table.error("fqdn", "is no domain name", "write e.g. \"bsf.operator.example\"");
        }
        out.fqdn = *fqdn;
    }
    out.address = MTKEY_TRY(table.text_or("address", ""));
    if (!out.address.empty() && !http::parse_address(out.address, 1)) {
        return table.error("address", "is no address",
                           "write \"host\", \"host:port\" or \"[v6]:port\"");
    }
    out.tls = MTKEY_TRY(table.flag_or("tls", false));
    out.ca = table.resolve(MTKEY_TRY(table.text_or("ca", "")));
    out.tls_min = MTKEY_TRY(table.word_or("tls_min", "1.2", {"1.2", "1.3"})) == "1.2"
                      ? http::TlsVersion::Tls12
                      : http::TlsVersion::Tls13;
    out.certificate = table.resolve(MTKEY_TRY(table.text_or("certificate", "")));
    out.key = table.resolve(MTKEY_TRY(table.text_or("key", "")));
    if (out.certificate.empty() != out.key.empty()) {
        return table.error(out.key.empty() ? "certificate" : "key", "stands alone",
                           "write both, or leave both out");
    }
    if (!out.tls && !(out.ca + out.certificate).empty()) {
        return table.error(out.ca.empty() ? "certificate" : "ca", "is of no use without TLS",
                           "write tls = true, or leave it out");
    }
    out.local_address = MTKEY_TRY(table.text_or("local_address", ""));
    if (!out.local_address.empty() && !is_ip_address(out.local_address)) {
        return table.error("local_address", "is no IP address",
                           "write an address of this machine, e.g. \"192.0.2.7\"");
    }
    out.interface = MTKEY_TRY(table.text_or("interface", ""));
    if (out.interface.size() >= IFNAMSIZ ||
        out.interface.find_first_of("/ ") != std::string::npos) {
        return table.error("interface", "is no name of a network interface",
                           "write e.g. \"wwan0\"");
    }
    out.require_rspauth = MTKEY_TRY(table.flag_or("require_rspauth", true));
    out.use_nextnonce = MTKEY_TRY(table.flag_or("use_nextnonce", true));
    MTKEY_CHECK(table.finish());
    return out;
}

Result<keys::NafEntry> read_naf(ConfigTable table) {
    keys::NafEntry out;
    const auto fqdn = kdf::canonical_fqdn(MTKEY_TRY(table.text("fqdn")));
    if (!fqdn) {
        return table.error("fqdn", "is no domain name", "write e.g. \"nafkc.operator.example\"");
    }
    out.naf_id.fqdn = *fqdn;
    const auto ua = kdf::parse_ua_id(MTKEY_TRY(table.text_or("ua", "ff00033259")));
    if (!ua) {
        return table.error("ua", "is no Ua security protocol identifier", "write ten hex digits");
    }
    out.naf_id.ua = *ua;
    const std::string uri = MTKEY_TRY(table.text_or("uri", ""));
    if (!uri.empty()) {
        if (!local::parse_key_center_uri(uri, out.naf_id.fqdn)) {
            return table.error("uri", "must be https on the same host, without a query",
                               "write \"https://" + out.naf_id.fqdn + "/...\"");
        }
        out.key_center_uri = uri;
    }
    MTKEY_CHECK(table.finish());
    return out;
}

Result<DeviceRule> read_device(ConfigTable table, const std::vector<std::string>& transports) {
    DeviceRule out;
    const auto id = kdf::canonical_device_id(MTKEY_TRY(table.text("device_id")));
    if (!id) {
        return table.error("device_id", "is no Device_ID",
                           "write 1 to 128 printable lower-case characters without spaces");
    }
    out.device_id = *id;
    out.allow = MTKEY_TRY(table.flag_or("allow", false));
    out.transport = MTKEY_TRY(table.text_or("transport", ""));
    if (!out.transport.empty() &&
        std::ranges::find(transports, out.transport) == transports.end()) {
        return table.error("transport", "names no [transport.*] table",
                           "write the x of a [transport.x], or leave it out: any transport");
    }
    out.peer = MTKEY_TRY(table.text_or("peer", ""));
    MTKEY_CHECK(table.finish());
    return out;
}

Result<TransportConfig> read_transport(ConfigTable table, const std::string& name) {
    TransportConfig out;
    out.name = name;
    const auto path_safe = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_';
    };
    if (name.empty() || name.size() > 32 || !std::ranges::all_of(name, path_safe)) {
        return table.error(
            "plugin", "stands in a table with an unusable name",
            "name it [transport.x] with letters, digits and _ (it becomes a D-Bus path)");
    }
    out.plugin = MTKEY_TRY(table.text("plugin"));
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    };
    if (out.plugin.empty() || out.plugin.size() > 32 || !std::ranges::all_of(out.plugin, allowed)) {
        return table.error("plugin", "is no plugin name", "write e.g. \"serial\"");
    }
    for (const auto& key : table.keys()) {
        if (key != "plugin") {
            out.options[key] = MTKEY_TRY(table.scalar_as_text(key));
        }
    }
    return out;
}

/// What systemd has made for us (StateDirectory=, RuntimeDirectory=), or `otherwise`.
std::string directory_of(const char* variable, const std::string& otherwise) {
    const char* given = ::secure_getenv(variable);
    const std::string list = given == nullptr ? "" : given;
    return list.empty() ? otherwise : list.substr(0, list.find(':'));
}

Result<Config> read(ConfigTable table) {
    Config out;
    out.state_dir = table.resolve(
        MTKEY_TRY(table.text_or("state_dir", directory_of("STATE_DIRECTORY", "/var/lib/mtkeyd"))));
    out.runtime_dir = table.resolve(
        MTKEY_TRY(table.text_or("runtime_dir", directory_of("RUNTIME_DIRECTORY", ""))));
    out.store_key_file = table.resolve(MTKEY_TRY(table.text_or("store_key_file", "")));
    ConfigTable bus = MTKEY_TRY(table.table("bus"));
    out.bus_address = MTKEY_TRY(bus.text_or("address", "system"));
    MTKEY_CHECK(bus.finish());
    if (out.bus_address == "system") {
        out.bus_address.clear();
    }
    out.uicc = MTKEY_TRY(read_uicc(MTKEY_TRY(table.table("uicc"))));
    const ConfigTable gba = MTKEY_TRY(table.table("gba"));
    out.gba = MTKEY_TRY(read_gba(gba));
    out.bsf = MTKEY_TRY(read_bsf(MTKEY_TRY(table.table("bsf"))));
    MTKEY_CHECK(check_2g(out, gba));
    for (auto& naf : MTKEY_TRY(table.tables("naf"))) {
        out.nafs.push_back(MTKEY_TRY(read_naf(std::move(naf))));
    }
    ConfigTable transports = MTKEY_TRY(table.table("transport"));
    const auto names = transports.keys();
    for (auto& device : MTKEY_TRY(table.tables("device"))) {
        out.devices.push_back(MTKEY_TRY(read_device(std::move(device), names)));
    }
    for (const auto& name : transports.keys()) {
        out.transports.push_back(
            MTKEY_TRY(read_transport(MTKEY_TRY(transports.table(name)), name)));
    }
    ConfigTable plugins = MTKEY_TRY(table.table("plugins"));
    out.plugin_dir = plugins.resolve(MTKEY_TRY(plugins.text_or("dir", MTKEY_PLUGIN_DIR)));
    MTKEY_CHECK(plugins.finish());
    ConfigTable log = MTKEY_TRY(table.table("log"));
    const auto level = parse_log_level(MTKEY_TRY(log.text_or("level", "info")));
    if (!level) {
        return log.error("level", "is no level", "write error, warning, notice, info or debug");
    }
    out.log_level = *level;
    MTKEY_CHECK(log.finish());
    MTKEY_CHECK(table.finish());
    return out;
}

} // namespace

Result<Config> load_config(const std::string& path) {
    return read(MTKEY_TRY(ConfigTable::load(path, Trust::Config)));
}

Result<Config> parse_config(std::string_view text, const std::string& path) {
    return read(MTKEY_TRY(ConfigTable::parse(text, path)));
}

bool approved(const std::vector<DeviceRule>& rules, std::string_view device_id,
              std::string_view transport, std::string_view peer) {
    for (const auto& rule : rules) {
        if (rule.device_id == device_id &&
            (rule.transport.empty() || rule.transport == transport) &&
            (rule.peer.empty() || rule.peer == peer)) {
            return rule.allow;
        }
    }
    return false;
}

} // namespace mtkey::daemon
