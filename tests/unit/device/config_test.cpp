// SPDX-License-Identifier: Apache-2.0
#include "base/file.hpp"
#include "device/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mtkey::device {
namespace {

using ::testing::HasSubstr;

const std::string kGood = R"(device_id = "urn:uuid:1"
state_dir = "state"
store_key_file = "/etc/x/store.key"
runtime_dir = "/run/x"
naf = "two.3gppnetwork.org"
[transport]
plugin = "serial"
plugin_dir = "/usr/lib/x"
device = "/dev/pts/1"
baud = 9600
exclusive = false
[key_center]
ca = "ca.pem"
certificate = "/abs/device.pem"
private_key = "device.key"
allowed_suffixes = ["3GPPnetwork.org"]
[key_center.address]
"nafkc.3gppnetwork.org" = "127.0.0.1:8443"
[limits]
total_seconds = 60
link_seconds = 5
)";

TEST(DeviceConfig, ReadsEverything) {
    const auto config = parse_config(kGood, "/etc/x/device.toml");
    ASSERT_TRUE(config) << describe(config.error());
    EXPECT_EQ(config->procedure.device_id, "urn:uuid:1");
    EXPECT_EQ(config->procedure.preferred_naf, "two.3gppnetwork.org");
    EXPECT_EQ(config->procedure.kdf_profile, "draft-1");
    EXPECT_EQ(config->procedure.allowed_suffixes, std::vector<std::string>{"3gppnetwork.org"});
    EXPECT_EQ(config->keys.state_dir, "/etc/x/state") << "relative to the file";
    EXPECT_EQ(config->keys.store_key_file, "/etc/x/store.key");
    EXPECT_EQ(config->keys.runtime_dir, "/run/x");
    EXPECT_EQ(config->key_center.tls.ca_file, "/etc/x/ca.pem");
    EXPECT_EQ(config->key_center.tls.certificate_file, "/abs/device.pem");
    EXPECT_EQ(config->key_center.addresses.at("nafkc.3gppnetwork.org"), "127.0.0.1:8443");
    EXPECT_EQ(config->transport.role, transports::Role::Connect);
    EXPECT_EQ(config->transport.plugin_dir, "/usr/lib/x");
    const std::map<std::string, std::string> options{
        {"device", "/dev/pts/1"}, {"baud", "9600"}, {"exclusive", "false"}};
    EXPECT_EQ(config->transport.options, options);
    EXPECT_EQ(config->total_limit, std::chrono::seconds(60));
    EXPECT_EQ(config->link_limit, std::chrono::seconds(5));
}

TEST(DeviceConfig, TheExampleIsValid) {
    const auto text = read_file(MTKEY_DEVICE_EXAMPLE, 65536, Trust::Any);
    ASSERT_TRUE(text);
    const auto config = parse_config(*text, "device.toml");
    EXPECT_TRUE(config) << describe(config.error());
}

TEST(DeviceConfig, ErrorsNameFileLineAndKey) {
    const auto with = [](const std::string& from, const std::string& to) {
        std::string changed = kGood;
        const auto place = changed.find(from);
        EXPECT_NE(place, std::string::npos) << from;
        return changed.replace(place, from.size(), to);
    };
    const std::vector<std::pair<std::string, std::string>> rows{
        {"", "'device_id' is missing"},
        {with("urn:uuid:1", "URN:UUID:1"), "device.toml:1: 'device_id'"},
        {with("urn:uuid:1", ""), "'device_id'"},
        {with("naf = \"two.3gppnetwork.org\"", "naf = \"two.example.com\""),
         "device.toml:5: 'naf'"},
        {with("state_dir =", "key_file ="), "'state_dir' is missing"},
        {with("naf =", "nav ="), "'nav' is not known"},
        {with("naf =", "kdf_profile = \"rel-7\"\nnaf ="), "'kdf_profile'"},
        {with("plugin = \"serial\"", ""), "'transport.plugin' is missing"},
        {with("baud = 9600", "baud = [1]"), "'transport.baud'"},
        {with("ca = \"ca.pem\"", ""), "'key_center.ca' is missing"},
        {with("[\"3GPPnetwork.org\"]", "[]"), "'key_center.allowed_suffixes' names no domain"},
        {with("[\"3GPPnetwork.org\"]", "[\".org\"]"), "no domain name"},
        {with("[\"3GPPnetwork.org\"]", "[\"org\"]"), "no domain name"},
        {with("127.0.0.1:8443", "127.0.0.1:99999"), "nafkc.3gppnetwork.org"},
        {with("[limits]", "[limits]\nmore = 1"), "'limits.more' is not known"},
        {with("total_seconds = 60", "total_seconds = 0"), "'limits.total_seconds'"},
        {with("[limits]", "[[["), "device.toml"},
    };
    for (const auto& [text, what] : rows) {
        const auto config = parse_config(text, "/etc/x/device.toml");
        ASSERT_FALSE(config) << what;
        EXPECT_EQ(config.error().code, Errc::ConfigInvalid);
        EXPECT_THAT(config.error().context, HasSubstr(what));
    }
}

} // namespace
} // namespace mtkey::device
