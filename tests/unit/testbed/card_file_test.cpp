// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/card_file.hpp"

#include "test_card.hpp"
#include "testbed/virtual_modem/modem_profile.hpp"
#include "vectors/source_root.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <regex>
#include <sstream>

namespace mtkey::testbed {
namespace {

/// The TOML of a README.
std::string example_in(const std::string& readme) {
    std::ifstream file(readme);
    std::stringstream all;
    all << file.rdbuf();
    std::smatch found;
    const std::string text = all.str();
    return std::regex_search(text, found, std::regex("```toml\n([^`]*)```")) ? found[1].str() : "";
}

TEST(CardFile, EmptyIsTheCardOfBefore) {
    const auto file = parse_card_file("", "card.toml");
    ASSERT_TRUE(file) << describe(file.error());
    EXPECT_FALSE(file->has_imsi);
    EXPECT_FALSE(file->algorithm);
    EXPECT_FALSE(file->profile.pin);
    EXPECT_TRUE(file->profile.gba);
    EXPECT_TRUE(file->profile.applications.empty());
    EXPECT_TRUE(file->faults.empty());
    EXPECT_TRUE(file->state.empty());
}

TEST(CardFile, ExampleOfTheReadmeIsACard) {
    std::string text = example_in(vectors::source_root() + "/testbed/virtual_uicc/README.md");
    ASSERT_FALSE(text.empty());
    auto file = parse_card_file(text, "/etc/card.toml");
    ASSERT_TRUE(file) << describe(file.error());
    EXPECT_EQ(file->state, "/etc/card.state");
    ASSERT_TRUE(file->algorithm);
    ASSERT_EQ(file->profile.applications.size(), 2U);
    EXPECT_EQ(file->profile.applications[0].services, std::vector<unsigned>{17});
    EXPECT_EQ(file->profile.applications[0].naf_key_centers,
              std::vector<std::string>{"naf.example.org"});
    EXPECT_EQ(file->profile.applications[1].pin_reference, 2);
    EXPECT_EQ(file->profile.more_pins.size(), 3U);
    EXPECT_EQ(file->profile.quirks.gbabp_size, 20U);
    EXPECT_EQ(file->profile.files[0].update, Access::Adm);
    ASSERT_EQ(file->faults.size(), 1U);
    EXPECT_EQ(file->faults[0].at, 7U);
    EXPECT_TRUE(Card::create(file->profile, std::move(file->algorithm), {}));
}

TEST(CardFile, Sim) {
    EXPECT_FALSE(parse_card_file("kind = \"uicc\"", "card.toml")->profile.sim);
    EXPECT_TRUE(parse_card_file("kind = \"sim\"", "card.toml")->profile.sim);
}

// The card of the worked example by what a file says of its GBA_U: AUTN* or AUTN is believed, RES
// comes flipped or not.
TEST(CardFile, RulesOfGbaUAreSwitchedOneByOne) {
    for (const bool modify : {true, false}) {
        for (const bool flip : {true, false}) {
            const std::string words =
                "[gba_u]\nmodify_mac = " + std::string(modify ? "true" : "false") +
                "\nflip_res = " + (flip ? "true" : "false");
            SCOPED_TRACE(words);
            const auto file = parse_card_file(words, "card.toml");
            ASSERT_TRUE(file) << describe(file.error());
            auto profile = both_applications();
            profile.gba_u = file->profile.gba_u;
            TestCard card(profile);
            card.ask(kSelectUsim);
            const auto authenticate = [&card](const std::string& autn) {
                return card.ask("0088008423dd10" + text(example()["milenage"]["rand"]) + "10" +
                                autn + "00");
            };
            const std::string plain = text(example()["milenage"]["autn"]);
            const std::string starred = text(example()["gba_u"]["autn_star_sent"]);
            EXPECT_EQ(authenticate(modify ? plain : starred), "9862");
            const std::string res =
                flip ? text(example()["gba_u"]["res_flipped"]) : text(example()["milenage"]["res"]);
            EXPECT_EQ(authenticate(modify ? starred : plain), "db08" + res + kOk);
        }
    }
    const auto neither = parse_card_file("", "card.toml");
    ASSERT_TRUE(neither);
    EXPECT_TRUE(neither->profile.gba_u.modify_mac);
    EXPECT_TRUE(neither->profile.gba_u.flip_res);
    EXPECT_FALSE(parse_card_file("[gba_u]\nflip = true", "card.toml"));
}

TEST(ModemFile, ExampleOfTheReadmeIsTheDefaults) {
    const std::string text =
        example_in(vectors::source_root() + "/testbed/virtual_modem/README.md");
    ASSERT_FALSE(text.empty());
    const auto file = parse_modem_file(text, "modem.toml");
    ASSERT_TRUE(file) << describe(file.error());
    const ModemProfile defaults;
    EXPECT_EQ(file->echo, defaults.echo);
    EXPECT_EQ(file->errors, defaults.errors);
    EXPECT_EQ(file->first_session, defaults.first_session);
    EXPECT_EQ(file->return_after, defaults.return_after);
    EXPECT_FALSE(parse_modem_file("quoting = \"odd\"", "modem.toml"));
}

TEST(CardFile, MistakesAreNamedWithTheirLine) {
    const std::pair<const char*, const char*> cases[] = {
        {"iccid = 5", "card.toml:1"},
        {"\nprotocol = \"t2\"", "card.toml:2"},
        {"unknown = 1", "unknown"},
        {"kind = \"usim\"", "kind"},
        {"sqn = \"00\"", "sqn"},
        {"ind_bits = 9", "ind_bits"},
        {"channels = 21", "channels"},
        {"[key]\nk = \"00\"\nopc = \"00\"", "key.k"},
        {"[key]\nk = \"465b5ce8b199b49faa5f0a2ee238a6bc\"", "opc"},
        {"[[application]]\nkind = \"csim\"", "kind"},
        {"[[application]]\nservices = [\"x\"]", "services"},
        {"[[application]]\nimpi = \"a@b\"", "impi"}, // a USIM has none
        {"[[file]]\nsfi = 3", "fid"},
        {"[[file]]\nfid = \"6f46\"\nrecords = [\"00\"]", "records"},
        {"[[file]]\nfid = \"6f46\"\nrecord_length = 1\nrecords = [\"0000\"]", "records"},
        {"[[file]]\nfid = \"6f46\"\nread = \"chv1\"", "read"},
        {"[[fault]]\nkind = \"melt\"", "kind"},
        {"[[fault]]\nat = 0", "at"},
        {"[quirks]\nbusy = -1", "busy"},
        {"[[pin_of_application]]\nreference = 2", "pin"}};
    for (const auto& [text, names] : cases) {
        const auto file = parse_card_file(text, "card.toml");
        ASSERT_FALSE(file) << text;
        EXPECT_EQ(file.error().code, Errc::ConfigInvalid) << text;
        EXPECT_NE(file.error().context.find(names), std::string::npos) << file.error().context;
    }
}

TEST(CardFile, NoErrorHoldsAKey) {
    const std::string key = "465b5ce8b199b49faa5f0a2ee238a6bc";
    for (const std::string& text :
         {"[key]\nk = \"" + key + "0\"\nopc = \"" + key + "\"",
          "[key]\nk = \"" + key + "\"\nopc = 1",
          "[key]\nalgorithm = \"xor\"\nk = \"" + key + "\"\nopc = \"" + key + "\""}) {
        const auto file = parse_card_file(text, "card.toml");
        ASSERT_FALSE(file) << text;
        EXPECT_EQ(file.error().context.find(key.substr(0, 8)), std::string::npos);
    }
}

TEST(CardProfile, ImpossibleCardsAreRefused) {
    const auto refused = [](auto change) {
        auto profile = both_applications();
        change(profile);
        const auto card = Card::create(profile, TestCard::milenage(), {});
        return !card && card.error().code == Errc::InvalidArgument;
    };
    EXPECT_FALSE(refused([](CardProfile&) {}));
    EXPECT_TRUE(refused([](CardProfile& p) { p.iccid = "123"; }));
    EXPECT_TRUE(refused([](CardProfile& p) { p.channels = 0; }));
    EXPECT_TRUE(refused([](CardProfile& p) { p.pin_attempts = 16; }));
    EXPECT_TRUE(refused([](CardProfile& p) { p.applications[0].aid = Bytes(17); }));
    EXPECT_TRUE(refused([](CardProfile& p) { p.applications[0].pin_reference = 9; }));
    EXPECT_TRUE(refused([](CardProfile& p) { p.applications[0].label = std::string(33, 'x'); }));
    EXPECT_TRUE(refused([](CardProfile& p) { p.applications[1].impi = std::string(128, 'x'); }));
    EXPECT_TRUE(refused([](CardProfile& p) { p.applications[0].services = {0}; }));
    EXPECT_TRUE(refused(
        [](CardProfile& p) { p.more_pins.push_back({1, SecretBytes(as_octets("1234")), 3}); }));
    EXPECT_TRUE(refused([](CardProfile& p) {
        p.applications.pop_back();
        p.files.push_back({.where = ApplicationKind::Isim, .fid = 0x6F02});
    }));
    EXPECT_TRUE(refused([](CardProfile& p) {
        FileProfile file{.where = ApplicationKind::Usim, .fid = 0x6FDA};
        file.record_length = 7; // does not divide what is there
        p.files.push_back(file);
    }));
}

} // namespace
} // namespace mtkey::testbed
