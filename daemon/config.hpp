// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/log.hpp"
#include "base/result.hpp"
#include "gba/bootstrapping.hpp"
#include "http/client.hpp"
#include "keys/bootstrap_budget.hpp"
#include "keys/naf_list.hpp"
#include "uicc/at_channel.hpp"
#include "uicc/directory.hpp"

#include <map>
#include <string>
#include <vector>

namespace mtkey::daemon {

/// The UICC of a modem, by AT commands.
struct ModemConfig {
    std::string device; ///< its AT port; "" = no modem: readers of PC/SC
    uicc::AtAccess access = uicc::AtAccess::Any;
    unsigned baud = 115200;
    std::vector<std::string> init; ///< commands said to it each time that it is there again
};

struct UiccConfig {
    ModemConfig modem;
    std::string reader = "*";        ///< pattern of reader names, glob(7)
    std::vector<std::string> ignore; ///< patterns of readers to leave alone
    bool allow_virtual = false;      ///< vsmartcard's virtual readers count too
    std::string iccid;               ///< of the only card that is used; "" = any
    uicc::ApplicationChoice application;
    bool exclusive = true;
    std::string pin_file;    ///< 0600, digits; "" = none
    unsigned mnc_length = 0; ///< where EF_AD does not tell; 0 = none
};

struct GbaConfig {
    gba::ModePolicy mode = gba::ModePolicy::PreferUicc;
    bool allow_downgrade = false;
    gba::TmpiPolicy tmpi = gba::TmpiPolicy::Auto;
    bool allow_2g = false;  ///< a SIM will do; only with bsf.tls, and not in a modem
    keys::RunLimits limits; ///< 1 to keys::kMostRuns each
};

struct BsfConfig {
    std::string fqdn;    ///< "" = from the IMSI (TS 23.003 clause 16.2)
    std::string address; ///< "" = the FQDN and port 80 or 443
    bool tls = false;
    std::string ca; ///< PEM; "" with tls = the system's trust
    http::TlsVersion tls_min = http::TlsVersion::Tls12;
    std::string certificate; ///< PEM, our own; "" = none
    std::string key;         ///< its private key, PEM, 0600
    std::string local_address;
    std::string interface;
    bool require_rspauth = true;
    bool use_nextnonce = true;
};

/// One static approval: until agents come, the only way for a device to be allowed.
struct DeviceRule {
    std::string device_id;
    bool allow = false;
    std::string transport; ///< instance name; "" = any
    std::string peer;      ///< transport identity; "" = any
};

struct TransportConfig {
    std::string name;
    std::string plugin;
    std::map<std::string, std::string> options;
};

/// mtkeyd.toml (documented in config/mtkeyd.toml).
struct Config {
    std::string bus_address; ///< "" = the system bus
    std::string state_dir;   ///< "" = nothing outlives the daemon
    std::string runtime_dir; ///< "" = a store of before in this boot is not told from the last one
    std::string store_key_file; ///< without systemd: 32 octets, mode 0400; "" = none
    UiccConfig uicc;
    GbaConfig gba;
    BsfConfig bsf;
    std::vector<keys::NafEntry> nafs;
    std::vector<DeviceRule> devices;
    std::vector<TransportConfig> transports;
    std::string plugin_dir;
    LogLevel log_level = LogLevel::Info;
};

/// Errors: ConfigInvalid with file, line, key and remedy; NotAuthorized when others may write the
/// file.
Result<Config> load_config(const std::string& path);
Result<Config> parse_config(std::string_view text, const std::string& path);

/// Default deny: the first rule that names this Device_ID (octet by octet) and this place decides.
[[nodiscard]] bool approved(const std::vector<DeviceRule>& rules, std::string_view device_id,
                            std::string_view transport, std::string_view peer);

} // namespace mtkey::daemon
