// SPDX-License-Identifier: Apache-2.0
// Files, channels and PINs of the virtual UICC (TS 102 221). Octets are worked out by hand.
#include "test_card.hpp"

#include <gtest/gtest.h>

namespace mtkey::testbed {
namespace {

SecretBytes digits(const char* text) {
    return SecretBytes(as_octets(text));
}

TEST(CardFiles, EfDirListsBothApplications) {
    TestCard card(both_applications());
    EXPECT_EQ(card.ask("00a4000c022f00"), kOk);
    EXPECT_TRUE(card.ask("00b2010400")
                    .starts_with("61194f10a0000000871002ffffffff8907090000"
                                 "50055553494d31ff"));
    EXPECT_TRUE(card.ask("00b2020400")
                    .starts_with("61194f10a0000000871004ffffffff8907090000"
                                 "50054953494d31ff"));
    EXPECT_TRUE(card.ask("00b2030400").starts_with("ffff"));
    EXPECT_EQ(card.ask("00b2040400"), "6a83");
}

TEST(CardFiles, Isim) {
    auto profile = both_applications();
    profile.applications[1].local_key = true;
    profile.applications[1].services = {3};
    profile.applications[1].impu = {"sip:a@b", "tel:+1"};
    TestCard card(profile);
    ASSERT_EQ(card.ask(kSelectIsim), kOk);
    const auto read = [&](const std::string& fid) {
        EXPECT_EQ(card.ask("00a4000c02" + fid), kOk);
        return card.ask("00b0000000");
    };
    const std::string impi = text(example()["identities"]["impi"]);
    EXPECT_TRUE(read("6f02").starts_with("8031" + to_hex(as_octets(impi)) + "ff"));
    EXPECT_TRUE(read("6f03").starts_with(
        "8021" + to_hex(as_octets("ims.mnc001.mcc001.3gppnetwork.org")) + "ff"));
    EXPECT_EQ(read("6f07"), "0e00" + kOk); // services 2, 3, 4
    EXPECT_EQ(read("6fad"), "00000002" + kOk);
    ASSERT_EQ(card.ask("00a4000c026f04"), kOk);
    EXPECT_TRUE(card.ask("00b2010400").starts_with("80077369703a614062"));
    EXPECT_TRUE(card.ask("00b2020400").starts_with("800674656c3a2b31ff"));
    // By SFI too.
    EXPECT_EQ(card.ask("00b0870002"), "0e00" + kOk);
}

TEST(CardFiles, FcpNamesConditionsOrARecordOfEfArr) {
    for (const bool arr : {false, true}) {
        auto profile = both_applications();
        profile.arr = arr;
        TestCard card(profile);
        ASSERT_EQ(card.ask(kSelectUsim), kOk);
        const std::string fcp = card.ask("00a40004026f0700");
        EXPECT_EQ(fcp.find("ab10800101a40683010195010880010297") != std::string::npos, !arr);
        EXPECT_EQ(fcp.find("8b036f0601") != std::string::npos, arr) << fcp;
        const std::string gbabp = card.ask("00a40004026fd600"); // PIN for both
        EXPECT_EQ(gbabp.find("8b036f0603") != std::string::npos, arr) << gbabp;
        EXPECT_EQ(card.ask("00a4000c026f06"), arr ? kOk : "6a82");
        if (arr) {
            EXPECT_TRUE(card.ask("00b2010400").starts_with("800101a4068301019501088001029700"));
            EXPECT_TRUE(card.ask("00b2020400")
                            .starts_with("800101900080010297"
                                         "00"));
            EXPECT_TRUE(card.ask("00b2030400")
                            .starts_with("800101a406830101950108"
                                         "800102a406830101950108"));
        }
    }
}

TEST(CardFiles, ProfileAddsChangesAndTakesOut) {
    auto profile = both_applications();
    profile.more_pins.push_back({kAdm1, digits("12345678"), 3});
    FileProfile added{.where = ApplicationKind::Usim, .fid = 0x6F46};
    added.content = vectors::hex("00616263");
    added.size = 6;
    added.sfi = 0x11;
    added.read = Access::Always;
    added.update = Access::Adm;
    profile.files.push_back(added);
    profile.files.push_back({.where = ApplicationKind::Usim, .fid = 0x6FDA, .missing = true});
    FileProfile changed{.fid = 0x2FE2};
    changed.content = vectors::hex("98");
    profile.files.push_back(changed);
    TestCard card(profile);
    EXPECT_EQ(card.ask("00a4000c022fe2"), kOk);
    EXPECT_EQ(card.ask("00b0000000"), "98" + kOk);
    ASSERT_EQ(card.ask(kSelectUsim), kOk);
    EXPECT_EQ(card.ask("00a4000c026fda"), "6a82");
    EXPECT_EQ(card.ask("00b0910000"), "00616263ffff" + kOk);
    EXPECT_EQ(card.ask("00d600000101"), "6982");
    EXPECT_EQ(card.ask("0020000a083132333435363738"), kOk);
    EXPECT_EQ(card.ask("00d600000101"), kOk);
    EXPECT_EQ(card.ask("00b0000001"), "01" + kOk);
}

TEST(CardChannels, EachHasItsOwnSelection) {
    auto profile = both_applications();
    profile.channels = 20;
    TestCard card(profile);
    ASSERT_EQ(card.ask(kSelectUsim), kOk);
    EXPECT_EQ(card.ask("0070000001"), "01" + kOk);
    EXPECT_EQ(card.ask("01a4040c07a0000000871004"), kOk);
    EXPECT_EQ(card.ask("00a4000c026f07"), kOk);
    EXPECT_EQ(card.ask("01a4000c026f07"), kOk);
    EXPECT_EQ(card.ask("00b0000001"), "08" + kOk); // EF_IMSI
    EXPECT_EQ(card.ask("01b0000001"), "02" + kOk); // EF_IST
    // From a channel that is not the basic one: the same place.
    EXPECT_EQ(card.ask("0170000001"), "02" + kOk);
    EXPECT_EQ(card.ask("02b0000001"), "02" + kOk);
    EXPECT_EQ(card.ask("0070000001"), "03" + kOk);
    EXPECT_EQ(card.ask("03b0000001"), "6986");
    // Beyond 3 the class is 4X; STATUS is CX there.
    EXPECT_EQ(card.ask("0070000001"), "04" + kOk);
    EXPECT_EQ(card.ask("40a4040c07a0000000871002"), kOk);
    EXPECT_EQ(card.ask("40b0870001"), "08" + kOk);
    EXPECT_EQ(card.ask("c0f2000c"), kOk);
    EXPECT_EQ(card.ask("41b0870001"), "6881");
    EXPECT_EQ(card.ask("00700013"), kOk); // channel 19 by its number
    EXPECT_EQ(card.ask("4fa4040c07a0000000871002"), kOk);
    EXPECT_EQ(card.ask("00708001"), kOk);
    EXPECT_EQ(card.ask("01b0000001"), "6881");
    EXPECT_EQ(card.ask("00708001"), "6881");
    EXPECT_EQ(card.ask("00708000"), "6a86");
    EXPECT_EQ(card.ask("0070000001"), "01" + kOk); // the first free one
    card.card.reset();
    EXPECT_EQ(card.ask("02b0000001"), "6881");
}

TEST(CardChannels, AreFiniteAndMayBeNone) {
    auto profile = both_applications();
    profile.channels = 2;
    TestCard card(profile);
    EXPECT_EQ(card.ask("0070000001"), "01" + kOk);
    EXPECT_EQ(card.ask("0070000001"), "6a81");
    EXPECT_EQ(card.ask("00700002"), "6a81");
    profile.channels = 1;
    EXPECT_EQ(TestCard(profile).ask("0070000001"), "6881");
}

TEST(CardChannels, GetResponseBelongsToTheChannel) {
    TestCard card(both_applications(Protocol::T0));
    ASSERT_EQ(card.ask("0070000001"), "01" + kOk);
    ASSERT_EQ(card.ask("01a404040"
                       "7a0000000871002")
                  .substr(0, 2),
              "61");
    EXPECT_EQ(card.ask("00c0000010").substr(0, 2), "6d");
}

TEST(CardClasses, AreToldApart) {
    TestCard card(both_applications());
    EXPECT_EQ(card.ask("a0a40000023f00"), "6e00"); // GSM
    EXPECT_EQ(card.ask("80a40004023f0000"), "6e00");
    EXPECT_EQ(card.ask("00f2000c"), "6e00");
    EXPECT_EQ(card.ask("0ca40004023f0000"), "6882");
    EXPECT_EQ(card.ask("60a40004023f0000"), "6882");
    EXPECT_EQ(card.ask("01a40004023f0000"), "6881");
}

TEST(CardPins, EachApplicationMayHaveItsOwn) {
    auto profile = both_applications();
    profile.pin = digits("1111");
    profile.more_pins.push_back({2, digits("2222"), 5});
    profile.applications[1].pin_reference = 2;
    TestCard card(profile);
    ASSERT_EQ(card.ask("0070000001"), "01" + kOk);
    EXPECT_EQ(card.ask("0020000108"
                       "31313131ffffffff"),
              "6a88"); // no application yet
    ASSERT_EQ(card.ask(kSelectUsim), kOk);
    const std::string fcp = card.ask("01a4040407a000000087100400");
    EXPECT_NE(fcp.find("c606900180830102"), std::string::npos) << fcp;
    EXPECT_EQ(card.ask("0020000108"
                       "31313131ffffffff"),
              kOk);
    EXPECT_EQ(card.ask("0020000208"
                       "32323232ffffffff"),
              "6a88"); // of another application
    EXPECT_EQ(card.ask("00b0870001"), "08" + kOk);
    EXPECT_EQ(card.ask("01b0820001"), "6982");
    EXPECT_EQ(card.ask("01200002"), "63c5");
    EXPECT_EQ(card.ask("0120000208"
                       "32323232ffffffff"),
              kOk);
    EXPECT_EQ(card.ask("01b0820001"), "80" + kOk);
    // Verified on every channel, until no channel has the application.
    ASSERT_EQ(card.ask("0070000001"), "02" + kOk);
    ASSERT_EQ(card.ask("02a4040c07a0000000871004"), kOk);
    EXPECT_EQ(card.ask("02b0820001"), "80" + kOk);
    ASSERT_EQ(card.ask("00708001"), kOk);
    EXPECT_EQ(card.ask("02b0820001"), "80" + kOk);
    ASSERT_EQ(card.ask("02a4044c07a0000000871004"), kOk);
    ASSERT_EQ(card.ask("02a4040c07a0000000871004"), kOk);
    EXPECT_EQ(card.ask("02b0820001"), "6982");
    EXPECT_EQ(card.ask("00b0870001"), "08" + kOk);
}

TEST(CardPins, UniversalPinReplacesADisabledOne) {
    auto profile = both_applications();
    profile.more_pins.push_back({kUniversalPin, digits("5678"), 3});
    TestCard card(profile);
    const std::string fcp = card.ask("00a4040407a000000087100200");
    EXPECT_NE(fcp.find("c60c900140830101950108830111"), std::string::npos) << fcp;
    EXPECT_EQ(card.ask("00b0870001"), "6982");
    EXPECT_EQ(card.ask("00200001"), "6984");
    EXPECT_EQ(card.ask("0020001108"
                       "35363738ffffffff"),
              kOk);
    EXPECT_EQ(card.ask("00b0870001"), "08" + kOk);
    profile.pin = digits("1234");
    TestCard other(profile);
    EXPECT_NE(other.ask("00a4040407a000000087100200").find("c60c9001c0830101950100830111"),
              std::string::npos);
}

TEST(CardPins, AttemptsRunOutAndAreRemembered) {
    auto profile = both_applications();
    profile.pin = digits("1234");
    profile.pin_attempts = 2;
    TestCard card(profile);
    ASSERT_EQ(card.ask(kSelectUsim), kOk);
    EXPECT_EQ(card.ask("0020000108"
                       "39393939ffffffff"),
              "63c1");
    TestCard same(profile);
    ASSERT_TRUE(same.card.restore(card.card.memory()));
    ASSERT_EQ(same.ask(kSelectUsim), kOk);
    EXPECT_EQ(same.ask("00200001"), "63c1");
    EXPECT_EQ(same.ask("0020000108"
                       "39393939ffffffff"),
              "63c0");
    EXPECT_EQ(same.ask("0020000108"
                       "31323334ffffffff"),
              "6983");
    profile.sqn.ind_bits = 4;
    EXPECT_FALSE(TestCard(profile).card.restore(card.card.memory()));
}

} // namespace
} // namespace mtkey::testbed
