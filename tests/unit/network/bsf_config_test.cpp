// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/config.hpp"

#include "base/file.hpp"
#include "vectors/source_root.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>
#include <sstream>
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

std::string with(std::string_view top, std::string_view tail = {}) {
    return std::string(top) + "\n" + kGood + std::string(tail);
}
std::string without_subscribers(std::string_view top) {
    auto text = with(top);
    const std::string_view line = "subscribers = \"subscribers.toml\"\n";
    return text.erase(text.find(line), line.size());
}

TEST(BsfConfig, DefaultsOfWhatMayBeLeftOut) {
    const auto config = parse_config(kGood, "bsf.toml").value();
    EXPECT_EQ(config.database, "");
    EXPECT_EQ(config.sqn, aka::SqnScheme::FixedInd);
    EXPECT_FALSE(config.av_command);
    EXPECT_FALSE(config.ub.next_nonce);
    EXPECT_EQ(config.ub.nonce_data, 0u);
    EXPECT_EQ(config.ub.b_tid, BtidForm::Rand);
    EXPECT_EQ(config.metrics_listen, "");
    EXPECT_FALSE(config.ub_server.shape);
}

TEST(BsfConfig, EveryOptionRead) {
    const auto config =
        parse_config(with("database = \"bsf.db\"\nsqn = \"time\"\nnext_nonce = true\n"
                          "nonce_data = 16\nb_tid = \"opaque\"",
                          "[metrics]\nlisten = \"127.0.0.1:9100\"\n"),
                     "/etc/mtkey/bsf.toml");
    ASSERT_TRUE(config) << describe(config.error());
    EXPECT_EQ(config->database, "/etc/mtkey/bsf.db");
    EXPECT_EQ(config->sqn, aka::SqnScheme::Time);
    EXPECT_TRUE(config->ub.next_nonce);
    EXPECT_EQ(config->ub.nonce_data, 16u);
    EXPECT_EQ(config->ub.b_tid, BtidForm::Opaque);
    EXPECT_EQ(config->metrics_listen, "127.0.0.1:9100");
    EXPECT_EQ(parse_config(with("sqn = \"cycling-ind\""), "x")->sqn, aka::SqnScheme::CyclingInd);
    EXPECT_TRUE(parse_config(without_subscribers("database = \"bsf.db\""), "x"));
}

TEST(BsfConfig, AvCommandStandsAlone) {
    const auto config = parse_config(
        without_subscribers("av_command = [\"/usr/lib/hss\", \"-v\"]\nav_command_seconds = 2"),
        "bsf.toml");
    ASSERT_TRUE(config) << describe(config.error());
    ASSERT_TRUE(config->av_command);
    EXPECT_EQ(config->av_command->arguments, (std::vector<std::string>{"/usr/lib/hss", "-v"}));
    EXPECT_EQ(config->av_command->limit, std::chrono::seconds(2));
    EXPECT_GT(config->ub_server.threads, parse_config(kGood, "x")->ub_server.threads)
        << "they wait for it";
    for (const auto& wrong :
         {with("av_command = [\"/usr/lib/hss\"]"), without_subscribers("av_command = []"),
          without_subscribers("av_command = [\"hss\"]"),
          without_subscribers("av_command = [\"/hss\"]\nsqn = \"time\""),
          without_subscribers("av_command = [\"/hss\"]\nav_command_seconds = 0"),
          without_subscribers("av_command = \"/hss\""), without_subscribers("")}) {
        EXPECT_FALSE(parse_config(wrong, "bsf.toml")) << wrong;
    }
}

TEST(BsfConfig, MetricsOnTheLoopbackAlone) {
    for (const auto* good : {"127.0.0.1:0", "127.9.9.9:80", "[::1]:9100"}) {
        EXPECT_TRUE(parse_config(with("", std::string("[metrics]\nlisten = \"") + good + "\"\n"),
                                 "bsf.toml"))
            << good;
    }
    for (const auto* wrong : {"0.0.0.0:9100", "[::]:9100", "10.0.0.1:9100", "127.0.0.1", ""}) {
        const auto config = parse_config(
            with("", std::string("[metrics]\nlisten = \"") + wrong + "\"\n"), "bsf.toml");
        ASSERT_FALSE(config) << wrong;
        EXPECT_THAT(config.error().context, HasSubstr("metrics.listen")) << wrong;
    }
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
        {"lifetime_seconds = 3600", "sqn = \"random\"", "bsf.toml:3", "sqn"},
        {"lifetime_seconds = 3600", "b_tid = \"short\"", "bsf.toml:3", "b_tid"},
        {"lifetime_seconds = 3600", "nonce_data = 257", "bsf.toml:3", "nonce_data"},
        {"lifetime_seconds = 3600", "next_nonce = 1", "bsf.toml:3", "next_nonce"},
        {"lifetime_seconds = 3600", "database = \"\"", "bsf.toml:3", "database"},
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

/// The text with what stands behind "# " as well, where that is a key or a table and no example.
std::string uncommented(const std::string& text) {
    static const std::regex line(R"(# ((\[[a-z_.]+\])|([a-z_]+ = [^(]+)))");
    std::istringstream in(text);
    std::string out;
    for (std::string one; std::getline(in, one);) {
        std::smatch match;
        out += (std::regex_match(one, match, line) ? match[1].str() : one) + "\n";
    }
    return out;
}

TEST(BsfConfig, ExampleIsValidAndShowsTheDefaults) {
    const auto text =
        read_file(vectors::source_root() + "/config/bsf.toml", 64 * 1024, Trust::Any).value();
    const auto as_it_is = parse_config(text, "bsf.toml");
    ASSERT_TRUE(as_it_is) << describe(as_it_is.error());
    const auto full_text = uncommented(text);
    for (const auto* key :
         {"\nsqn =", "\nlifetime_seconds =", "\nb_tid =", "\nnext_nonce =", "\nnonce_data =",
          "\nmodify_mac =", "\nflip_res =", "\n[ub.tls]", "\nrevocation =", "\n[metrics]"}) {
        EXPECT_THAT(full_text, HasSubstr(key));
    }
    const auto full = parse_config(full_text, "bsf.toml");
    ASSERT_TRUE(full) << describe(full.error());
    EXPECT_EQ(full->sqn, as_it_is->sqn);
    EXPECT_EQ(full->ub.lifetime, as_it_is->ub.lifetime);
    EXPECT_EQ(full->ub.b_tid, as_it_is->ub.b_tid);
    EXPECT_EQ(full->ub.next_nonce, as_it_is->ub.next_nonce);
    EXPECT_EQ(full->ub.nonce_data, as_it_is->ub.nonce_data);
    EXPECT_EQ(full->ub.gba_u.modify_mac, as_it_is->ub.gba_u.modify_mac);
    EXPECT_EQ(full->ub.gba_u.flip_res, as_it_is->ub.gba_u.flip_res);
    EXPECT_EQ(full->zn_server.tls_settings.client_crl_file,
              as_it_is->zn_server.tls_settings.client_crl_file);
    EXPECT_TRUE(full->ub_server.tls);
    EXPECT_EQ(full->metrics_listen, "127.0.0.1:9259");
}

TEST(BsfConfig, MissingFileIsAConfigurationError) {
    const auto config = read_config("/nonexistent/bsf.toml");
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().code, Errc::ConfigInvalid);
    EXPECT_THAT(config.error().context, HasSubstr("/nonexistent/bsf.toml"));
}

} // namespace
} // namespace mtkey::bsf
