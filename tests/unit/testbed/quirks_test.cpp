// SPDX-License-Identifier: Apache-2.0
// Each quirk, seen from outside, and that the card without it behaves otherwise.
#include "test_card.hpp"

#include <gtest/gtest.h>

namespace mtkey::testbed {
namespace {

TestCard with(Quirks quirks, Protocol protocol = Protocol::T0) {
    auto profile = both_applications(protocol);
    profile.quirks = quirks;
    return TestCard(profile);
}

TEST(Quirks, NoEfDir) {
    EXPECT_EQ(with({}).ask("00a4000c022f00"), kOk);
    EXPECT_EQ(with({.no_ef_dir = true}).ask("00a4000c022f00"), "6a82");
}

TEST(Quirks, ShortEfAd) {
    for (const bool quirk : {false, true}) {
        auto card = with({.ef_ad_3_octets = quirk}, Protocol::T1);
        ASSERT_EQ(card.ask(kSelectUsim), kOk);
        EXPECT_EQ(card.ask("00b0830000"), (quirk ? "000000" : "00000002") + kOk);
    }
}

TEST(Quirks, DirectData) {
    const std::string select = "00a40004022fe2";
    EXPECT_EQ(with({}).ask(select), "6120");
    const std::string direct = with({.direct_data = true}).ask(select);
    EXPECT_EQ(direct.size(), 2 * 0x20 + 4);
    EXPECT_TRUE(direct.starts_with("621e") && direct.ends_with(kOk));
}

TEST(Quirks, WrongLeOnRead) {
    for (const auto protocol : {Protocol::T0, Protocol::T1}) {
        auto card = with({.wrong_le_on_read = true}, protocol);
        ASSERT_EQ(card.ask("00a4000c022fe2"), kOk);
        for (int round = 0; round < 2; ++round) {
            EXPECT_EQ(card.ask("00b000000a"), "6c0a");
            EXPECT_EQ(card.ask("00b000000a"), "988812010000000010f8" + kOk);
        }
    }
}

TEST(Quirks, SelectSucceedsButItsResponseDoesNot) {
    auto card = with({.select_response_fails = true});
    EXPECT_EQ(card.ask("00a40004022fe2"), "6120");
    EXPECT_EQ(card.ask("00c0000020"), "6f00");
    EXPECT_EQ(card.ask("00b000000a"), "988812010000000010f8" + kOk); // it was selected
}

TEST(Quirks, ProactiveCommandWaitsUntilItIsFetched) {
    auto card = with({.proactive = true});
    EXPECT_EQ(card.ask(kSelectUsim), "910b");
    EXPECT_EQ(card.ask("00b0830004"), "00000002910b");
    EXPECT_EQ(card.ask("801200000b"), "d009810301020082028182" + kOk);
    EXPECT_EQ(card.ask("80140000020000"), kOk);
    EXPECT_EQ(card.ask(kSelectUsim), kOk);
    EXPECT_EQ(card.ask("801200000b"), "6985");
    card.card.reset();
    EXPECT_EQ(card.ask(kSelectUsim), "910b");
    EXPECT_EQ(card.ask("00a4040c07a0000000871009"), "6a82"); // only in the place of 9000
}

TEST(Quirks, BusyAfterPowerUp) {
    auto card = with({.busy = 2});
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(card.ask(kSelectUsim), "9300");
        EXPECT_EQ(card.ask(kSelectUsim), "9300");
        EXPECT_EQ(card.ask(kSelectUsim), kOk);
        card.card.reset();
    }
}

TEST(Quirks, NoLogicalChannels) {
    EXPECT_EQ(with({}).ask("0070000001"), "01" + kOk);
    EXPECT_EQ(with({.no_logical_channels = true}).ask("0070000001"), "6881");
}

TEST(Quirks, DeactivatedFile) {
    auto t1 = with({.deactivated = 0x6FAD}, Protocol::T1);
    ASSERT_EQ(t1.ask(kSelectUsim), kOk);
    const std::string fcp = t1.ask("00a40004026fad00");
    EXPECT_TRUE(fcp.ends_with("6283"));
    EXPECT_NE(fcp.find("8a0104"), std::string::npos);
    auto t0 = with({.deactivated = 0x6FAD});
    ASSERT_EQ(t0.ask(kSelectUsim), kOk);
    EXPECT_EQ(t0.ask("00a40004026fad"), "6283");
    EXPECT_EQ(t0.ask("00c0000000").substr(0, 2), "6c");
    EXPECT_EQ(t0.ask("00a4000c026fad"), "6283");
    EXPECT_EQ(t0.ask("00a4000c026f38"), kOk);
}

TEST(Quirks, GbabpWithoutRoom) {
    for (const std::size_t size : {0U, 1U, 16U, 17U, 18U, 19U, 20U}) {
        auto profile = both_applications(Protocol::T1);
        profile.quirks.gbabp_size = size;
        TestCard card(profile, "ff9bb4d0b606");
        ASSERT_EQ(card.ask(kSelectUsim), kOk);
        EXPECT_EQ(card.ask(example()["gba_u"]["apdu_authenticate_gba_bootstrap"]),
                  text(example()["gba_u"]["card_answer_bootstrap"]) + kOk)
            << size;
        EXPECT_EQ(card.ask("00a4000c026fd6"), kOk);
        EXPECT_EQ(card.ask(example()["gba_u"]["apdu_update_binary_btid_lifetime"]),
                  size <= 17 ? "6b00" : "6700");
        EXPECT_TRUE(card.ask(example()["gba_u"]["apdu_authenticate_gba_naf"]).ends_with(kOk));
    }
}

} // namespace
} // namespace mtkey::testbed
