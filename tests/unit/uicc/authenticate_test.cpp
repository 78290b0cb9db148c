// SPDX-License-Identifier: Apache-2.0
#include "uicc/authenticate.hpp"

#include "fakes/scripted_card.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

using test::ScriptedCard;
using test::ScriptedRawCard;

std::string text(const vectors::Json& value) {
    return static_cast<std::string>(value);
}

class AuthenticateTest : public testing::Test {
protected:
    vectors::Json example_ = vectors::load("worked_example.json");
    Challenge challenge(const std::string& autn) const {
        return {vectors::array<16>(text(example_["milenage"]["rand"])), vectors::array<16>(autn)};
    }
    Challenge gba_u_challenge() const {
        return challenge(text(example_["gba_u"]["autn_star_sent"]));
    }
    Challenge gba_me_challenge() const { return challenge(text(example_["gba_me"]["autn_sent"])); }
    Bytes naf_id() const { return vectors::hex(text(example_["identities"]["naf_id_hex"])); }
    std::string impi() const { return text(example_["identities"]["impi"]); }
    std::string bootstrap_command() const {
        return text(example_["gba_u"]["apdu_authenticate_gba_bootstrap"]);
    }
    std::string derive_command() const {
        return text(example_["gba_u"]["apdu_authenticate_gba_naf"]);
    }
    std::string command_3g() const { return text(example_["gba_me"]["apdu_authenticate_3g"]); }
};

TEST_F(AuthenticateTest, BootstrappingOfTheWorkedExample) {
    ScriptedCard card;
    card.expect(bootstrap_command(), text(example_["gba_u"]["card_answer_bootstrap"]) + "9000");
    const auto outcome = gba_bootstrap(card, gba_u_challenge());
    ASSERT_TRUE(card.finished()) << card.trouble();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    const auto* done = std::get_if<Bootstrapped>(&*outcome);
    ASSERT_NE(done, nullptr);
    EXPECT_EQ(to_hex(done->res.reveal()), text(example_["gba_u"]["res_flipped"]));
}

TEST_F(AuthenticateTest, NafDerivationOfTheWorkedExample) {
    ScriptedCard card;
    card.expect(derive_command(), text(example_["gba_u"]["card_answer_naf"]) + "9000");
    const auto key = gba_derive_naf(card, naf_id(), impi());
    ASSERT_TRUE(card.finished()) << card.trouble();
    ASSERT_TRUE(key) << describe(key.error());
    EXPECT_EQ(vectors::text_of(*key), text(example_["gba_u"]["ks_ext_naf"]));
}

TEST_F(AuthenticateTest, AkaOfTheWorkedExampleWithAndWithoutKc) {
    for (const auto* answer : {"card_answer_no_kc", "card_answer_with_kc"}) {
        ScriptedCard card;
        card.expect(command_3g(), text(example_["gba_me"][answer]) + "9000");
        const auto outcome = authenticate_3g(card, gba_me_challenge());
        ASSERT_TRUE(card.finished()) << card.trouble();
        ASSERT_TRUE(outcome) << describe(outcome.error());
        const auto* keys = std::get_if<AkaKeys>(&*outcome);
        ASSERT_NE(keys, nullptr);
        EXPECT_EQ(to_hex(keys->res.reveal()), text(example_["milenage"]["res"]));
        EXPECT_EQ(vectors::text_of(keys->ck), text(example_["milenage"]["ck"]));
        EXPECT_EQ(vectors::text_of(keys->ik), text(example_["milenage"]["ik"]));
    }
}

TEST_F(AuthenticateTest, OnT0ItIsTheCommandWithoutLeAndOneGetResponse) {
    ScriptedRawCard raw;
    MappedChannel card(raw, Protocol::T0);
    auto bootstrap = bootstrap_command();
    bootstrap.resize(bootstrap.size() - 2);
    raw.expect(bootstrap, "610a")
        .expect("00c000000a", text(example_["gba_u"]["card_answer_bootstrap"]) + "9000");
    EXPECT_TRUE(gba_bootstrap(card, gba_u_challenge()));
    auto derive = derive_command();
    derive.resize(derive.size() - 2);
    raw.expect(derive, "6122")
        .expect("00c0000022", text(example_["gba_u"]["card_answer_naf"]) + "9000");
    EXPECT_TRUE(gba_derive_naf(card, naf_id(), impi()));
    EXPECT_TRUE(raw.finished()) << raw.trouble();
    EXPECT_EQ(raw.played(), 4U);
}

TEST_F(AuthenticateTest, SyncFailureIsAValue) {
    const std::string auts = "000102030405060708090a0b0c0d";
    ScriptedCard card;
    card.expect(bootstrap_command(), "dc0e" + auts + "9000")
        .expect(command_3g(), "dc0e" + auts + "9110");
    const auto gba = gba_bootstrap(card, gba_u_challenge());
    ASSERT_TRUE(gba) << describe(gba.error());
    ASSERT_TRUE(std::holds_alternative<SyncFailure>(*gba));
    EXPECT_EQ(to_hex(std::get<SyncFailure>(*gba).auts), auts);
    const auto aka = authenticate_3g(card, gba_me_challenge());
    ASSERT_TRUE(aka) << describe(aka.error());
    ASSERT_TRUE(std::holds_alternative<SyncFailure>(*aka));
    EXPECT_EQ(to_hex(std::get<SyncFailure>(*aka).auts), auts);
}

TEST_F(AuthenticateTest, ResOfEveryAllowedLength) {
    for (std::size_t length = 0; length <= 20; ++length) {
        const bool allowed = length >= 4 && length <= 16;
        const auto res = to_hex(Bytes(length, 0x5A));
        const auto size = to_hex(Bytes{static_cast<std::uint8_t>(length)});
        ScriptedCard card;
        card.expect(bootstrap_command(), "db" + size + res + "9000");
        EXPECT_EQ(gba_bootstrap(card, gba_u_challenge()).has_value(), allowed) << length;
        card.expect(command_3g(), "db" + size + res + "10" + to_hex(Bytes(16, 1)) + "10" +
                                      to_hex(Bytes(16, 2)) + "9000");
        EXPECT_EQ(authenticate_3g(card, gba_me_challenge()).has_value(), allowed) << length;
    }
}

TEST_F(AuthenticateTest, HostileAnswers) {
    const std::string k = to_hex(Bytes(16, 1));
    const std::string res = "080102030405060708";
    const std::vector<std::string> of_gba{"",
                                          "db",
                                          "db08",
                                          "db0801",
                                          "db" + res + "00",
                                          "db" + res + "10" + k,
                                          "dc",
                                          "dc0e00",
                                          "dc0d" + to_hex(Bytes(13, 1)),
                                          "dc0f" + to_hex(Bytes(15, 1)),
                                          "dc0e" + to_hex(Bytes(15, 1)),
                                          "00",
                                          "dd" + res,
                                          "dbff",
                                          "db81" + res,
                                          to_hex(Bytes(256, 0xDB))};
    for (const auto& answer : of_gba) {
        ScriptedCard card;
        card.expect(bootstrap_command(), answer + "9000");
        const auto outcome = gba_bootstrap(card, gba_u_challenge());
        ASSERT_FALSE(outcome) << answer;
        EXPECT_EQ(outcome.error().code, Errc::CardFailed) << answer;
    }
    const std::vector<std::string> of_3g{
        "",
        "db",
        "db" + res,
        "db" + res + "10" + k,
        "db" + res + "10" + k + "0f" + k,
        "db" + res + "11" + k + "00" + "10" + k,
        "db" + res + "10" + k + "10" + k + "00",
        "db" + res + "10" + k + "10" + k + "07" + to_hex(Bytes(7, 1)),
        "db" + res + "10" + k + "10" + k + "08" + to_hex(Bytes(9, 1)),
        "dc0e",
        "de" + res};
    for (const auto& answer : of_3g) {
        ScriptedCard card;
        card.expect(command_3g(), answer + "9000");
        const auto outcome = authenticate_3g(card, gba_me_challenge());
        ASSERT_FALSE(outcome) << answer;
        EXPECT_EQ(outcome.error().code, Errc::CardFailed) << answer;
    }
    const std::vector<std::string> of_naf{"",
                                          "db",
                                          "db20",
                                          "db1f" + to_hex(Bytes(31, 1)),
                                          "db21" + to_hex(Bytes(33, 1)),
                                          "db20" + to_hex(Bytes(31, 1)),
                                          "db20" + to_hex(Bytes(33, 1)),
                                          "dc0e" + to_hex(Bytes(14, 1)),
                                          "de20" + to_hex(Bytes(32, 1))};
    for (const auto& answer : of_naf) {
        ScriptedCard card;
        card.expect(derive_command(), answer + "9000");
        const auto key = gba_derive_naf(card, naf_id(), impi());
        ASSERT_FALSE(key) << answer;
        EXPECT_EQ(key.error().code, Errc::CardFailed) << answer;
    }
}

struct StatusCase {
    std::uint16_t sw;
    Errc bootstrap;
    Errc derive;
};

class StatusWords : public AuthenticateTest, public testing::WithParamInterface<StatusCase> {};

TEST_P(StatusWords, AreMapped) {
    const auto& expected = GetParam();
    Bytes sw;
    append_u16(sw, expected.sw);
    ScriptedCard card;
    card.expect(bootstrap_command(), to_hex(sw))
        .expect(command_3g(), to_hex(sw))
        .expect(derive_command(), to_hex(sw));
    const auto gba = gba_bootstrap(card, gba_u_challenge());
    const auto aka = authenticate_3g(card, gba_me_challenge());
    const auto key = gba_derive_naf(card, naf_id(), impi());
    ASSERT_TRUE(card.finished()) << card.trouble();
    ASSERT_FALSE(gba);
    EXPECT_EQ(gba.error().code, expected.bootstrap);
    EXPECT_EQ(gba.error().detail, expected.sw);
    ASSERT_FALSE(aka);
    EXPECT_EQ(aka.error().code, expected.bootstrap);
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, expected.derive);
    EXPECT_EQ(key.error().detail, expected.sw);
}

INSTANTIATE_TEST_SUITE_P(
    Ts31102Clause73, StatusWords,
    testing::Values(StatusCase{0x9862, Errc::MacFailure, Errc::MacFailure},
                    StatusCase{0x9864, Errc::NotSupportedByCard, Errc::NotSupportedByCard},
                    StatusCase{0x6A81, Errc::NotSupportedByCard, Errc::NotSupportedByCard},
                    StatusCase{0x6A86, Errc::NotSupportedByCard, Errc::NotSupportedByCard},
                    StatusCase{0x6B00, Errc::NotSupportedByCard, Errc::NotSupportedByCard},
                    StatusCase{0x6D00, Errc::NotSupportedByCard, Errc::NotSupportedByCard},
                    StatusCase{0x6E00, Errc::CardFailed, Errc::CardFailed},
                    StatusCase{0x9865, Errc::KeyFreshness, Errc::KeyFreshness},
                    StatusCase{0x6982, Errc::PinRequired, Errc::PinRequired},
                    StatusCase{0x6985, Errc::CardFailed, Errc::NoKsOnCard},
                    StatusCase{0x6A88, Errc::CardFailed, Errc::NoKsOnCard},
                    StatusCase{0x6A80, Errc::CardFailed, Errc::CardFailed},
                    StatusCase{0x6700, Errc::CardFailed, Errc::CardFailed},
                    StatusCase{0x9866, Errc::CardFailed, Errc::CardFailed},
                    StatusCase{0x9867, Errc::CardFailed, Errc::CardFailed},
                    StatusCase{0x6400, Errc::CardFailed, Errc::CardFailed},
                    StatusCase{0x6581, Errc::CardFailed, Errc::CardFailed},
                    StatusCase{0x6F00, Errc::CardFailed, Errc::CardFailed},
                    StatusCase{0x9300, Errc::CardFailed, Errc::CardFailed},
                    StatusCase{0x6300, Errc::CardFailed, Errc::CardFailed},
                    StatusCase{0x0000, Errc::CardFailed, Errc::CardFailed}));

TEST_F(AuthenticateTest, NafIdAndImpiMustFitOneCommand) {
    ScriptedCard card; // expects nothing
    const Bytes naf_id(200, 'n');
    for (const auto& [id, name] :
         {std::pair(naf_id, std::string(53, 'i')), std::pair(Bytes(), std::string("i")),
          std::pair(naf_id, std::string()), std::pair(Bytes(300, 'n'), std::string("i"))}) {
        const auto key = gba_derive_naf(card, id, name);
        ASSERT_FALSE(key);
        EXPECT_EQ(key.error().code, Errc::InvalidArgument);
    }
    EXPECT_TRUE(card.finished()) << card.trouble();
    ScriptedCard full;
    full.expect("00880084ff de c8" + to_hex(naf_id) + "34" + to_hex(Bytes(52, 'i')) + "00",
                "db20" + to_hex(Bytes(32, 7)) + "9000");
    EXPECT_TRUE(gba_derive_naf(full, naf_id, std::string(52, 'i')));
    EXPECT_TRUE(full.finished()) << full.trouble();
}

TEST_F(AuthenticateTest, ErrorsOfTheChannelComeThrough) {
    ScriptedCard card;
    card.expect_error(bootstrap_command(), Errc::NoCard, 0x80100069);
    const auto outcome = gba_bootstrap(card, gba_u_challenge());
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::NoCard);
    EXPECT_EQ(outcome.error().detail, 0x80100069U);
}

} // namespace
} // namespace mtkey::uicc
