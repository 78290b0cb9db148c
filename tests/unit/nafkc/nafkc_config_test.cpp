// SPDX-License-Identifier: Apache-2.0
#include "network/nafkc/config.hpp"

#include "base/file.hpp"
#include "fakes/throwaway_pki.hpp"
#include "vectors/source_root.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>
#include <sstream>
#include <string>

namespace mtkey::nafkc {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kGood = R"(listen = "[::1]:8443"
certificate = "nafkc.pem"
private_key = "/etc/mtkey/nafkc.key"
device_ca = "device-ca.pem"
device_crl = "device.crl"
kdf_profile = "draft-1"
require_gba_u = true
lifetime_cap_seconds = 3600
mt_id_secret_file = "mt-id.secret"

[[naf]]
fqdn = "NAFKC.example.org"
ua = "0100000002"

[[naf]]
fqdn = "nafkc.example.org"

[bsf]
fqdn = "bsf.example.org"
address = "127.0.0.1:8080"
ca = "ca.pem"
certificate = "zn.pem"
private_key = "zn.key"
timeout_seconds = 3
)";

TEST(NafkcConfig, EverythingRead) {
    const auto config = parse_config(kGood, "/etc/mtkey/nafkc.toml");
    ASSERT_TRUE(config) << describe(config.error());
    EXPECT_EQ(config->server.listen, "[::1]:8443");
    EXPECT_TRUE(config->server.tls);
    const auto& tls = config->server.tls_settings;
    EXPECT_EQ(tls.certificate_file, "/etc/mtkey/nafkc.pem");
    EXPECT_EQ(tls.private_key_file, "/etc/mtkey/nafkc.key");
    EXPECT_EQ(tls.client_ca_files, std::vector<std::string>{"/etc/mtkey/device-ca.pem"});
    ASSERT_EQ(config->key_center.device_cas.size(), 1U);
    EXPECT_EQ(config->key_center.device_cas[0].device_ids, std::vector<std::string>{"*"});
    EXPECT_EQ(tls.client_crl_file, "/etc/mtkey/device.crl");
    EXPECT_TRUE(tls.require_client_certificate);
    EXPECT_EQ(config->server.body_limit, keycenter::kDocumentLimit);
    EXPECT_EQ(config->key_center.kdf_profile, "draft-1");
    EXPECT_TRUE(config->key_center.require_gba_u);
    EXPECT_EQ(config->key_center.lifetime_cap, std::chrono::hours(1));
    EXPECT_EQ(config->mt_id_secret_file, "/etc/mtkey/mt-id.secret");
    ASSERT_EQ(config->key_center.nafs.size(), 2U);
    EXPECT_EQ(config->key_center.nafs[0].text(), "nafkc.example.org/0100000002");
    EXPECT_EQ(config->key_center.nafs[1].text(), "nafkc.example.org/ff00033259");
    EXPECT_EQ(config->bsf.fqdn, "bsf.example.org");
    EXPECT_EQ(config->bsf.address, "127.0.0.1:8080");
    EXPECT_TRUE(config->bsf.tls);
    EXPECT_EQ(config->bsf.tls_settings.ca_file, "/etc/mtkey/ca.pem");
    EXPECT_FALSE(config->bsf.tls_settings.system_trust);
    EXPECT_EQ(config->bsf.exchange_timeout, std::chrono::seconds(3));
}

TEST(NafkcConfig, WhatMayBeLeftOut) {
    const auto config = parse_config(R"(listen = "0.0.0.0:443"
certificate = "a"
private_key = "b"
device_ca = "c"
revocation = "none"
[[naf]]
fqdn = "nafkc.example.org"
[bsf]
fqdn = "bsf.example.org"
ca = "d"
certificate = "e"
private_key = "f"
)",
                                     "nafkc.toml");
    ASSERT_TRUE(config) << describe(config.error());
    EXPECT_FALSE(config->key_center.require_gba_u);
    EXPECT_FALSE(config->key_center.allow_2g);
    EXPECT_EQ(config->key_center.lifetime_cap, std::chrono::days(7));
    EXPECT_TRUE(config->mt_id_secret_file.empty());
    EXPECT_TRUE(config->server.tls_settings.client_crl_file.empty());
    EXPECT_TRUE(config->bsf.address.empty());
}

/// The text with what stands behind "# " as well, where that is a key and no example.
std::string uncommented(const std::string& text) {
    static const std::regex line("# ([a-z0-9_]+ = [^(]+)");
    std::istringstream in(text);
    std::string out;
    for (std::string one; std::getline(in, one);) {
        std::smatch match;
        out += (std::regex_match(one, match, line) ? match[1].str() : one) + "\n";
    }
    return out;
}

TEST(NafkcConfig, ExampleIsValidAndShowsTheDefaults) {
    const auto text =
        read_file(vectors::source_root() + "/config/nafkc.toml", 64 * 1024, Trust::Any).value();
    const auto as_it_is = parse_config(text, "nafkc.toml");
    ASSERT_TRUE(as_it_is) << describe(as_it_is.error());
    const auto full_text = uncommented(text);
    for (const auto* key : {"\nkdf_profile =", "\nrequire_gba_u =", "\nallow_2g =",
                            "\nlifetime_cap_seconds =", "\nua =", "\ntimeout_seconds ="}) {
        EXPECT_THAT(full_text, HasSubstr(key));
    }
    const auto full = parse_config(full_text, "nafkc.toml");
    ASSERT_TRUE(full) << describe(full.error());
    EXPECT_EQ(full->key_center.kdf_profile, as_it_is->key_center.kdf_profile);
    EXPECT_EQ(full->key_center.require_gba_u, as_it_is->key_center.require_gba_u);
    EXPECT_EQ(full->key_center.allow_2g, as_it_is->key_center.allow_2g);
    EXPECT_EQ(full->key_center.lifetime_cap, as_it_is->key_center.lifetime_cap);
    EXPECT_EQ(full->key_center.nafs, as_it_is->key_center.nafs);
    EXPECT_EQ(full->bsf.exchange_timeout, as_it_is->bsf.exchange_timeout);
    // What is set by example is a setting, too.
    for (const auto* example : {"device_crl", "mt_id_secret_file", "address"}) {
        EXPECT_THAT(text, HasSubstr(std::string("# ") + example + " = "));
    }
}

TEST(NafkcConfig, KeysOfASim) {
    auto text = kGood;
    const std::string line = "require_gba_u = true";
    const auto config =
        parse_config(text.replace(text.find(line), line.size(), "allow_2g = true"), "nafkc.toml");
    ASSERT_TRUE(config) << describe(config.error());
    EXPECT_TRUE(config->key_center.allow_2g);
}

TEST(NafkcConfig, MistakesAreNamed) {
    struct Row {
        std::string from;
        std::string to;
        std::string line;
        std::string key;
    };
    for (const auto& row : {
             Row{"listen = \"[::1]:8443\"", "listen = \"::1\"", ":1", "listen"},
             Row{"listen = \"[::1]:8443\"", "listen = \"localhost\"", ":1", "listen"},
             Row{"listen = \"[::1]:8443\"\n", "", "", "listen"},
             Row{"listen", "lisen", "", "listen"},
             Row{"device_ca = \"device-ca.pem\"\n", "", "", "device_ca"},
             Row{"device_ca = \"device-ca.pem\"", "device_ca = \"\"", ":4", "device_ca"},
             Row{"listen = \"[::1]:8443\"", "listen = \"[::1]\"", ":1", "listen"},
             Row{"listen = \"[::1]:8443\"", "listen = \"[::1]:\"", ":1", "listen"},
             Row{"device_crl = \"device.crl\"\n", "", "", "device_crl"},
             Row{"device_crl = \"device.crl\"", "revocation = \"ocsp\"", ":5", "revocation"},
             Row{"device_crl", "revocation = \"none\"\ndevice_crl", ":5", "revocation"},
             Row{"draft-1", "rel7plus", ":6", "kdf_profile"},
             Row{"require_gba_u = true", "require_gba_u = \"yes\"", ":7", "require_gba_u"},
             Row{"3600", "0", ":8", "lifetime_cap_seconds"},
             Row{"0100000002", "00000003ff", ":13", "ua"},
             Row{"NAFKC.example.org", "nafkc", ":12", "fqdn"},
             Row{"0100000002", "ff00033259", "", "twice"},
             Row{"127.0.0.1:8080", "127.0.0.1", ":20", "address"},
             Row{"timeout_seconds = 3", "timeout_seconds = 3\nproxy = \"x\"", ":25", "proxy"},
             Row{"[bsf]\nfqdn", "[bsf]\nname", "", "fqdn"},
         }) {
        auto text = kGood;
        ASSERT_NE(text.find(row.from), std::string::npos) << row.from;
        text.replace(text.find(row.from), row.from.size(), row.to);
        const auto config = parse_config(text, "nafkc.toml");
        ASSERT_FALSE(config) << row.to;
        EXPECT_EQ(config.error().code, Errc::ConfigInvalid);
        EXPECT_THAT(config.error().context,
                    AllOf(HasSubstr("nafkc.toml" + row.line), HasSubstr(row.key)));
    }
    EXPECT_FALSE(parse_config(kGood.substr(0, kGood.find("[[naf]]")), "nafkc.toml"));
    EXPECT_EQ(read_config("/nonexistent/nafkc.toml").error().code, Errc::ConfigInvalid);
}

TEST(NafkcConfig, DeviceCasWithTheirDevices) {
    auto text = kGood;
    const std::string flat = "device_ca = \"device-ca.pem\"\n";
    text.erase(text.find(flat), flat.size());
    const auto with = [&](const std::string& tables) {
        return parse_config(text + tables, "/etc/mtkey/nafkc.toml");
    };
    const auto good = with(R"([[device_ca]]
file = "a.pem"
device_ids = ["urn:uuid:*", "urn:dev:1"]
[[device_ca]]
file = "/b.pem"
device_ids = ["*"]
)");
    ASSERT_TRUE(good) << describe(good.error());
    const auto& cas = good->key_center.device_cas;
    ASSERT_EQ(cas.size(), 2U);
    EXPECT_EQ(cas[0].file, "/etc/mtkey/a.pem");
    EXPECT_EQ(cas[0].device_ids, (std::vector<std::string>{"urn:uuid:*", "urn:dev:1"}));
    EXPECT_EQ(good->server.tls_settings.client_ca_files,
              (std::vector<std::string>{"/etc/mtkey/a.pem", "/b.pem"}));
    for (const auto* ids : {"", "device_ids = []", "device_ids = [\"\"]", "device_ids = [\"a*b\"]",
                            "device_ids = [\"**\"]"}) {
        const auto bad = with("[[device_ca]]\nfile = \"a.pem\"\n" + std::string(ids));
        ASSERT_FALSE(bad) << ids;
        EXPECT_THAT(bad.error().context, HasSubstr("device_ids")) << ids;
    }
}

TEST(NafkcConfig, TheSecretFile) {
    fakes::ThrowawayPki folder;
    const auto read = [&](const std::string& content, unsigned mode = 0600) {
        return read_mt_id_secret(folder.file("secret", content, mode));
    };
    const auto good = read("000102030405060708090a0b0c0d0e0f\n");
    ASSERT_TRUE(good) << describe(good.error());
    EXPECT_EQ(good->size(), 16U);
    EXPECT_TRUE(read(std::string(128, 'a')));
    EXPECT_FALSE(read(std::string(130, 'a')));
    EXPECT_FALSE(read("0001\n"));
    EXPECT_FALSE(read(""));
    EXPECT_FALSE(read("not hex, but quite long enough all the same"));
    EXPECT_FALSE(read("000102030405060708090a0b0c0d0e0f", 0644)) << "others can read it";
    EXPECT_EQ(read_mt_id_secret("/nonexistent/secret").error().code, Errc::ConfigInvalid);
}

} // namespace
} // namespace mtkey::nafkc
