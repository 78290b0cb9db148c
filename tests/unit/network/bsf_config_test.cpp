// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

namespace mtkey::bsf {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kGood = R"(fqdn = "BSF.mnc001.mcc001.pub.3gppnetwork.org"
subscribers = "subscribers.toml"
lifetime_seconds = 3600

[ub]
listen = "127.0.0.1:0"

[zn]
listen = "[::1]:8443"
certificate = "zn.pem"
private_key = "/etc/mtkey/zn.key"
client_ca = "ca.pem"
client_crl = "ca.crl"

[[zn.naf]]
client = "nafkc.example.org"
fqdns = ["nafkc.example.org", "Second.example.org"]

[gba_u]
modify_mac = false
)";

TEST(BsfConfig, EverythingRead) {
    const auto config = parse_config(kGood, "/etc/mtkey/bsf.toml");
    ASSERT_TRUE(config) << describe(config.error());
    EXPECT_EQ(config->ub.fqdn, "bsf.mnc001.mcc001.pub.3gppnetwork.org");
    EXPECT_EQ(config->ub.lifetime, std::chrono::hours(1));
    EXPECT_FALSE(config->ub.gba_u.modify_mac);
    EXPECT_TRUE(config->ub.gba_u.flip_res);
    EXPECT_EQ(config->subscribers, "/etc/mtkey/subscribers.toml");
    EXPECT_EQ(config->ub_server.listen, "127.0.0.1:0");
    EXPECT_FALSE(config->ub_server.tls);
    EXPECT_FALSE(config->ub.tls);
    EXPECT_TRUE(config->zn_server.tls);
    EXPECT_TRUE(config->zn_server.tls_settings.require_client_certificate);
    EXPECT_EQ(config->zn_server.tls_settings.certificate_file, "/etc/mtkey/zn.pem");
    EXPECT_EQ(config->zn_server.tls_settings.private_key_file, "/etc/mtkey/zn.key");
    EXPECT_EQ(config->zn_server.tls_settings.client_ca_files,
              std::vector<std::string>{"/etc/mtkey/ca.pem"});
    EXPECT_EQ(config->zn_server.tls_settings.client_crl_file, "/etc/mtkey/ca.crl");
    ASSERT_EQ(config->naf_clients.size(), 1u);
    EXPECT_EQ(config->naf_clients[0].client, "nafkc.example.org");
    EXPECT_EQ(config->naf_clients[0].fqdns,
              (std::vector<std::string>{"nafkc.example.org", "second.example.org"}));
}

TEST(BsfConfig, UbOverTls) {
    auto text = kGood;
    text.replace(text.find("[zn]"), 0,
                 "[ub.tls]\ncertificate = \"ub.pem\"\nprivate_key = \"ub.key\"\n");
    const auto config = parse_config(text, "bsf.toml");
    ASSERT_TRUE(config) << describe(config.error());
    EXPECT_TRUE(config->ub_server.tls);
    EXPECT_TRUE(config->ub.tls);
    EXPECT_FALSE(config->ub_server.tls_settings.require_client_certificate);
    EXPECT_TRUE(config->ub_server.tls_settings.client_ca_files.empty());
    EXPECT_EQ(config->ub_server.tls_settings.certificate_file, "ub.pem");
}

TEST(BsfConfig, ErrorsNameFileLineAndKey) {
    struct Row {
        const char* what;
        const char* by;
        const char* place;
        const char* key;
    };
    const std::vector<Row> rows{
        {"fqdn = \"BSF.mnc001.mcc001.pub.3gppnetwork.org\"", "", "bsf.toml", "fqdn"},
        {"\"BSF.mnc001.mcc001.pub.3gppnetwork.org\"", "\"10.0.0.1\"", "bsf.toml:1", "fqdn"},
        {"\"BSF.mnc001.mcc001.pub.3gppnetwork.org\"", "5", "bsf.toml:1", "fqdn"},
        {"\"subscribers.toml\"", "\"\"", "bsf.toml:2", "subscribers"},
        {"lifetime_seconds = 3600", "lifetime_seconds = 0", "bsf.toml:3", "lifetime_seconds"},
        {"lifetime_seconds = 3600", "lifetime = 3600", "bsf.toml:3", "lifetime"},
        {"lifetime_seconds = 3600", "lifetime_seconds = 31622401", "bsf.toml:3",
         "lifetime_seconds"},
        {"[ub]\nlisten = \"127.0.0.1:0\"", "", "bsf.toml", "ub.listen"},
        {"\"127.0.0.1:0\"", "\"127.0.0.1\"", "bsf.toml:6", "ub.listen"},
        {"listen = \"127.0.0.1:0\"", "listen = \"127.0.0.1:0\"\n[ub.tls]\ncertificate = \"x\"",
         "bsf.toml:7", "ub.tls.private_key"},
        {"client_ca = \"ca.pem\"", "", "bsf.toml:8", "zn.client_ca"},
        {"client_crl = \"ca.crl\"", "", "bsf.toml:8", "zn.client_crl"},
        {"127.0.0.1:0", "[::1]", "bsf.toml:6", "ub.listen"},
        {"[::1]:8443", "[::1]:", "bsf.toml:9", "zn.listen"},
        {"[::1]:8443", "::1", "bsf.toml:9", "zn.listen"},
        {"certificate = \"zn.pem\"", "certificat = \"zn.pem\"", "bsf.toml:8", "zn.certificate"},
        {"client = \"nafkc.example.org\"", "client = \"*.example.org\"", "bsf.toml:16",
         "zn.naf.client"},
        {"fqdns = [\"nafkc.example.org\", \"Second.example.org\"]", "fqdns = []", "bsf.toml:17",
         "zn.naf.fqdns"},
        {"fqdns = [\"nafkc.example.org\", \"Second.example.org\"]", "fqdns = \"x.y\"",
         "bsf.toml:17", "zn.naf.fqdns"},
        {"\"Second.example.org\"", "\"-\"", "bsf.toml:17", "zn.naf.fqdns"},
        {"[[zn.naf]]\nclient = \"nafkc.example.org\"\nfqdns = [\"nafkc.example.org\", "
         "\"Second.example.org\"]",
         "", "bsf.toml:8", "zn.naf"},
        {"modify_mac = false", "modify_mac = \"no\"", "bsf.toml:20", "gba_u.modify_mac"},
        {"modify_mac = false", "modify = false", "bsf.toml:20", "gba_u.modify"},
    };
    for (const auto& row : rows) {
        auto text = kGood;
        const auto at = text.find(row.what);
        ASSERT_NE(at, std::string::npos) << row.what;
        text.replace(at, std::string_view(row.what).size(), row.by);
        const auto config = parse_config(text, "bsf.toml");
        ASSERT_FALSE(config) << row.what << " -> " << row.by;
        EXPECT_EQ(config.error().code, Errc::ConfigInvalid);
        EXPECT_THAT(config.error().context,
                    AllOf(HasSubstr(row.place), HasSubstr("'" + std::string(row.key) + "'")))
            << row.what << " -> " << row.by;
    }
    EXPECT_FALSE(parse_config("fqdn = ", "bsf.toml"));
}

TEST(BsfConfig, MissingFileIsAConfigurationError) {
    const auto config = read_config("/nonexistent/bsf.toml");
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().code, Errc::ConfigInvalid);
    EXPECT_THAT(config.error().context, HasSubstr("/nonexistent/bsf.toml"));
}

} // namespace
} // namespace mtkey::bsf
