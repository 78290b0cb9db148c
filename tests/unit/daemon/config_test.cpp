// SPDX-License-Identifier: Apache-2.0
#include "daemon/config.hpp"

#include "base/encoding.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace mtkey::daemon {
namespace {

TEST(DaemonConfig, EmptyFileGivesTheDefaults) {
    const auto config = parse_config("", "/etc/mtkeyd/mtkeyd.toml");
    ASSERT_TRUE(config) << describe(config.error());
    EXPECT_EQ(config->bus_address, "");
    EXPECT_TRUE(config->uicc.exclusive);
    EXPECT_FALSE(config->uicc.allow_virtual);
    EXPECT_EQ(config->uicc.iccid, "");
    EXPECT_EQ(config->uicc.application.kind, uicc::ApplicationChoice::Kind::Auto);
    EXPECT_EQ(config->gba.mode, gba::ModePolicy::PreferUicc);
    EXPECT_FALSE(config->gba.allow_downgrade);
    EXPECT_EQ(config->gba.limits.per_minute, 1U);
    EXPECT_EQ(config->gba.limits.per_hour, 10U);
    EXPECT_EQ(config->gba.limits.per_day, 50U);
    EXPECT_TRUE(config->bsf.require_rspauth);
    EXPECT_TRUE(config->devices.empty());
}

TEST(DaemonConfig, StateDirectoryIsThatOfTheUnit) {
    ::unsetenv("STATE_DIRECTORY");
    EXPECT_EQ(parse_config("", "/etc/x.toml")->state_dir, "/var/lib/mtkeyd");
    ::setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two", 1);
    EXPECT_EQ(parse_config("", "/etc/x.toml")->state_dir, "/var/lib/one");
    EXPECT_EQ(parse_config("state_dir = \"\"", "/etc/x.toml")->state_dir, "");
    ::unsetenv("STATE_DIRECTORY");
}

TEST(DaemonConfig, ReadsEveryKey) {
    const auto config = parse_config(R"(
state_dir = "state"
[bus]
address = "unix:path=/run/x"
[uicc]
reader = "ACS*"
ignore = ["Yubico*"]
allow_virtual = true
iccid = "8900a01000000000018"
application = "A0000000871004"
access = "shared"
pin_file = "pin"
mnc_length = 3
[gba]
mode = "require-uicc"
allow_downgrade = true
runs_per_minute = 2
runs_per_hour = 20
runs_per_day = 1000
[bsf]
fqdn = "BSF.example.org"
address = "127.0.0.1:80"
tls = true
ca = "ca.pem"
local_address = "10.0.0.1"
require_rspauth = false
[[naf]]
fqdn = "KC.example.org"
ua = "0100000002"
uri = "https://kc.example.org:8443/x"
[[naf]]
fqdn = "kc2.example.org"
[[device]]
device_id = "urn:uuid:1"
allow = true
transport = "serial0"
peer = "/dev/ttyUSB0"
[transport.serial0]
plugin = "serial"
device = "/dev/ttyUSB0"
baud = 9600
exclusive = false
[plugins]
dir = "plugins"
[log]
level = "debug"
)",
                                     "/etc/mtkeyd/mtkeyd.toml");
    ASSERT_TRUE(config) << describe(config.error());
    EXPECT_EQ(config->bus_address, "unix:path=/run/x");
    EXPECT_EQ(config->uicc.pin_file, "/etc/mtkeyd/pin");
    EXPECT_EQ(config->uicc.iccid, "8900A01000000000018");
    EXPECT_EQ(config->uicc.application.kind, uicc::ApplicationChoice::Kind::Aid);
    EXPECT_EQ(to_hex(config->uicc.application.aid), "a0000000871004");
    EXPECT_FALSE(config->uicc.exclusive);
    EXPECT_EQ(config->uicc.mnc_length, 3U);
    EXPECT_EQ(config->gba.mode, gba::ModePolicy::RequireUicc);
    EXPECT_EQ(config->state_dir, "/etc/mtkeyd/state");
    EXPECT_EQ(config->gba.limits.per_minute, 2U);
    EXPECT_EQ(config->gba.limits.per_hour, 20U);
    EXPECT_EQ(config->gba.limits.per_day, 1000U);
    EXPECT_EQ(config->bsf.fqdn, "bsf.example.org");
    EXPECT_EQ(config->bsf.ca, "/etc/mtkeyd/ca.pem");
    EXPECT_FALSE(config->bsf.require_rspauth);
    ASSERT_EQ(config->nafs.size(), 2U);
    EXPECT_EQ(config->nafs[0].naf_id.text(), "kc.example.org/0100000002");
    EXPECT_EQ(config->nafs[0].key_center_uri, "https://kc.example.org:8443/x");
    EXPECT_EQ(config->nafs[1].naf_id.text(), "kc2.example.org/ff00033259");
    ASSERT_EQ(config->transports.size(), 1U);
    EXPECT_EQ(config->transports[0].options.at("baud"), "9600");
    EXPECT_EQ(config->transports[0].options.at("exclusive"), "false");
    EXPECT_FALSE(config->transports[0].options.contains("plugin"));
    EXPECT_EQ(config->plugin_dir, "/etc/mtkeyd/plugins");
    EXPECT_EQ(config->log_level, LogLevel::Debug);
}

struct Row {
    const char* text;
    const char* place; ///< how the message begins
    const char* part;  ///< of the remedy
};

TEST(DaemonConfig, ErrorsNamePlaceAndRemedy) {
    const Row rows[] = {
        {"[uicc]\naccess = \"open\"\n", "f:2: 'uicc.access'", "\"exclusive\", \"shared\""},
        {"[uicc]\niccid = \"89-1\"\n", "f:2: 'uicc.iccid'", "mtkey-card info"},
        {"[uicc]\niccid = \"890010100000000001812\"\n", "f:2: 'uicc.iccid'", "18 to 20"},
        {"[uicc]\n\napplication = \"sim\"\n", "f:3: 'uicc.application'", "\"isim\" or an AID"},
        {"[uicc]\napplication = \"a0000000\"\n", "f:2: 'uicc.application'", "5 to 16 octets"},
        {"[uicc]\nmnc_length = 1\n", "f:2: 'uicc.mnc_length'", "write 2 or 3"},
        {"[uicc]\nreaders = \"x\"\n", "f:2: 'uicc.readers'", "known here: reader"},
        {"[uicc.modem]\ndevice = \"ttyUSB2\"\n", "f:2: 'uicc.modem.device'", "/dev/ttyUSB2"},
        {"[uicc.modem]\ndevice = \"/dev/ttyUSB2/\"\n", "f:2: 'uicc.modem.device'", "of a file"},
        {"[uicc.modem]\nbaud = 1234\n", "f:2: 'uicc.modem.baud'", "115200"},
        {"[uicc.modem]\naccess = \"at\"\n", "f:2: 'uicc.modem.access'", "\"session\", \"csim\""},
        {"[uicc.modem]\ninit = [\"AT+QSIMSTAT=1\", \"AT+CREG=1;+cpin=\\\"1234\\\"\"]\n",
         "f:2: 'uicc.modem.init'", "reaches the card"},
        {"[uicc.modem]\ninit = [\"AT\\r\"]\n", "f:2: 'uicc.modem.init'", "no AT command"},
        {"[uicc]\nreader = \"ACS*\"\n[uicc.modem]\ndevice = \"/dev/ttyUSB2\"\n",
         "f:2: 'uicc.reader'", "leave one of them out"},
        {"[gba]\nruns_per_hour = 0\n", "f:2: 'gba.runs_per_hour'", "1 to 1000"},
        {"\n[gba]\nmode = \"gba\"\n", "f:3: 'gba.mode'", "\"me-only\""},
        {"[bsf]\nfqdn = \"127.0.0.1\"\n", "f:2: 'bsf.fqdn'", "bsf.operator.example"},
        {"[bsf]\ntls = 1\n", "f:2: 'bsf.tls'", "without quotes"},
        {"[bsf]\naddress = \"bsf.example.org:http\"\n", "f:2: 'bsf.address'", "host:port"},
        {"[bsf]\naddress = \"http://bsf.example.org/\"\n", "f:2: 'bsf.address'", "host:port"},
        {"[bsf]\nlocal_address = \"eth0\"\n", "f:2: 'bsf.local_address'", "192.0.2.7"},
        {"[[device]]\ndevice_id = \"a\"\ntransport = \"serial1\"\n[transport.serial0]\n"
         "plugin = \"serial\"\n",
         "f:3: 'device.transport'", "[transport.x]"},
        {"[[naf]]\nua = \"ff00033259\"\n", "f:1: 'naf.fqdn' is missing", "write fqdn"},
        {"[[naf]]\nfqdn = \"a\"\n", "f:2: 'naf.fqdn'", "no domain name"},
        {"[[naf]]\nfqdn = \"a.b\"\nua = \"0000000001\"\n", "f:3: 'naf.ua'", "ten hex digits"},
        {"[[naf]]\nfqdn = \"a.b\"\nuri = \"http://a.b/\"\n", "f:3: 'naf.uri'",
         "https on the same host"},
        {"[[naf]]\nfqdn = \"a.b\"\nuri = \"https://a.b/?q\"\n", "f:3: 'naf.uri'",
         "without a query"},
        {"[[naf]]\nfqdn = \"a.b\"\nuri = \"https://a.b.evil.org/\"\n", "f:3: 'naf.uri'",
         "https://a.b/"},
        {"[naf]\nfqdn = \"a.b\"\n", "f:1: 'naf' must be a list", "[[naf]]"},
        {"[[device]]\ndevice_id = \"Upper Case\"\n", "f:2: 'device.device_id'", "lower-case"},
        {"[[device]]\ndevice_id = \"a\"\nallow = \"yes\"\n", "f:3: 'device.allow'",
         "true or false"},
        {"[transport.a]\ndevice = \"x\"\n", "f:1: 'transport.a.plugin' is missing", "write plugin"},
        {"[transport.a]\nplugin = \"../x\"\n", "f:2: 'transport.a.plugin'", "\"serial\""},
        {"[transport.\"a/b\"]\nplugin = \"serial\"\n", "f:2: ", "D-Bus path"},
        {"[log]\nlevel = \"loud\"\n", "f:2: 'log.level'", "warning"},
        {"key = 1\n", "f:1: 'key' is not known", "known here"},
        {"[uicc\n", "f:1", ""},
    };
    for (const auto& row : rows) {
        const auto config = parse_config(row.text, "f");
        ASSERT_FALSE(config) << row.text;
        EXPECT_EQ(config.error().code, Errc::ConfigInvalid) << row.text;
        EXPECT_TRUE(config.error().context.starts_with(row.place)) << config.error().context;
        EXPECT_NE(config.error().context.find(row.part), std::string::npos)
            << config.error().context;
    }
}

TEST(DaemonConfig, NoRuleMeansNo) {
    const auto config = parse_config(R"(
[[device]]
device_id = "d1"
allow = true
transport = "serial0"
[[device]]
device_id = "d2"
allow = true
peer = "p"
[[device]]
device_id = "d3"
[[device]]
device_id = "d3"
allow = true
[transport.serial0]
plugin = "serial"
)",
                                     "f");
    ASSERT_TRUE(config);
    const auto& rules = config->devices;
    EXPECT_TRUE(approved(rules, "d1", "serial0", "x"));
    EXPECT_FALSE(approved(rules, "d1", "serial1", "x"));
    EXPECT_TRUE(approved(rules, "d2", "any", "p"));
    EXPECT_FALSE(approved(rules, "d2", "any", "q"));
    EXPECT_FALSE(approved(rules, "d3", "any", "p"))
        << "the first rule decides, and its default is no";
    EXPECT_FALSE(approved(rules, "d", "serial0", "p"));
    EXPECT_FALSE(approved(rules, "d11", "serial0", "p"));
    EXPECT_FALSE(approved({}, "d1", "serial0", "p"));
}

} // namespace
} // namespace mtkey::daemon
