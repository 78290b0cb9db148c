// SPDX-License-Identifier: Apache-2.0
// The virtual card as a SIM (TS 51.011). Octets are worked out by hand; SRES and Kc are those of TS
// 55.205, test set 1.
#include "test_card.hpp"

#include <gtest/gtest.h>

namespace mtkey::testbed {
namespace {

CardProfile sim(const char* chv1 = nullptr) {
    CardProfile profile;
    profile.iccid = "8988211000000000018";
    profile.imsi = text(example()["identities"]["imsi"]);
    profile.sim = true;
    if (chv1 != nullptr) {
        profile.pin = SecretBytes(as_octets(chv1));
    }
    return profile;
}

const std::string kRunGsm = "a088000010" + text(example()["milenage"]["rand"]);
const std::string kDfGsm = "a0a40000027f20";

TEST(SimCard, FilesAndTheirDescriptions) {
    TestCard card(sim());
    EXPECT_EQ(to_hex(card.card.atr()), "3b1694710101060200");
    EXPECT_EQ(card.ask("a0a40000023f00"), "9f17");
    EXPECT_EQ(card.ask("a0c0000017"), "000040003f000100000000000a810101040083"
                                      "8a000000" +
                                          kOk);
    EXPECT_EQ(card.ask("a0a40000022fe2"), "9f0f");
    EXPECT_EQ(card.ask("a0c000000f"), "0000000a2fe204000fffff01020000" + kOk);
    EXPECT_EQ(card.ask("a0b000000a"), "988812010000000010f8" + kOk);
    EXPECT_EQ(card.ask("a0b0000001"), "98" + kOk);
    EXPECT_EQ(card.ask("a0b000000b"), "9402");
    EXPECT_EQ(card.ask("a0a40000022f00"), "9404");
    EXPECT_EQ(card.ask("a0a40000026f07"), "9404") << "not in the MF";
    EXPECT_EQ(card.ask(kDfGsm), "9f17");
    EXPECT_EQ(card.ask("a0b0000009"), "9400") << "a directory";
    EXPECT_EQ(card.ask("a0a40000026f07"), "9f0f");
    EXPECT_EQ(card.ask("a0b0000009"), "080910101032547698" + kOk);
    EXPECT_EQ(card.ask("a0a40000026fad"), "9f0f");
    EXPECT_EQ(card.ask("a0b0000004"), "00000002" + kOk);
}

TEST(SimCard, NoOtherClass) {
    TestCard card(sim());
    for (const char* command : {"00a40004023f00", "80f2000c00", "00a4040c07a0000000871002",
                                "0070000001", "a1a40000023f00"}) {
        EXPECT_EQ(card.ask(command), "6e00") << command;
    }
    EXPECT_EQ(card.ask("a0f20000"), "6d00");
    EXPECT_EQ(TestCard(both_applications()).ask("a0a40000023f00"), "6e00") << "a UICC";
}

TEST(SimCard, AnswerWaitsForGetResponseAndNothingElse) {
    TestCard card(sim());
    EXPECT_EQ(card.ask("a0c0000017"), "6700");
    EXPECT_EQ(card.ask(kDfGsm), "9f17");
    EXPECT_EQ(card.ask("a0c0000018"), "6700");
    EXPECT_EQ(card.ask("a0c0000017"), "6700") << "gone";
    EXPECT_EQ(card.ask(kDfGsm), "9f17");
    EXPECT_EQ(card.ask("a0a40000026f07"), "9f0f");
    EXPECT_EQ(card.ask("a0c0000017"), "6700");
}

TEST(SimCard, RunGsmAlgorithm) {
    TestCard card(sim());
    EXPECT_EQ(card.ask(kRunGsm), "6f00") << "DF_GSM is not selected";
    card.ask(kDfGsm);
    EXPECT_EQ(card.ask("a08800000f" + text(example()["milenage"]["rand"]).substr(2)), "6700");
    EXPECT_EQ(card.ask(kRunGsm), "9f0c");
    EXPECT_EQ(card.ask("a0c000000c"), "46f8416aeae4be823af9a08b" + kOk);
    card.card.reset();
    EXPECT_EQ(card.ask(kRunGsm), "6f00");
}

TEST(SimCard, Chv1) {
    TestCard card(sim("1234"));
    card.ask(kDfGsm);
    EXPECT_EQ(card.ask("a0c0000017"), "000040007f200200000000000a010002040083"
                                      "8a000000" +
                                          kOk);
    card.ask("a0a40000026f07");
    EXPECT_EQ(card.ask("a0b0000009"), "9804");
    EXPECT_EQ(card.ask(kRunGsm), "9804");
    EXPECT_EQ(card.ask("a02000010834333231ffffffff"), "9804");
    EXPECT_EQ(card.ask("a0200001"), "6700") << "no counter is asked for like this";
    EXPECT_EQ(card.ask("a02000020831323334ffffffff"), "9802") << "CHV2";
    EXPECT_EQ(card.ask("a02000010831323334ffffffff"), kOk);
    EXPECT_EQ(card.ask("a0b0000009"), "080910101032547698" + kOk);
    EXPECT_EQ(card.ask(kRunGsm), "9f0c");
    card.card.reset();
    card.ask(kDfGsm);
    EXPECT_EQ(card.ask(kRunGsm), "9804");
    for (const char* answer : {"9804", "9804", "9840", "9840"}) {
        EXPECT_EQ(card.ask("a02000010834333231ffffffff"), answer);
    }
    EXPECT_EQ(card.ask("a02000010831323334ffffffff"), "9840");
    EXPECT_EQ(TestCard(sim()).ask("a02000010831323334ffffffff"), "9808") << "off";
}

TEST(SimCard, ProfilesThatNoSimHas) {
    const auto refused = [](const auto& change) {
        auto profile = sim();
        change(profile);
        return !Card::create(profile, TestCard::milenage(), {});
    };
    EXPECT_FALSE(refused([](CardProfile&) {}));
    EXPECT_TRUE(refused([](CardProfile& profile) { profile.protocol = Protocol::T1; }));
    EXPECT_TRUE(refused([](CardProfile& profile) { profile.applications.push_back({}); }));
    EXPECT_TRUE(refused([](CardProfile& profile) { profile.files.push_back({.fid = 0x6F46}); }));
}

} // namespace
} // namespace mtkey::testbed
