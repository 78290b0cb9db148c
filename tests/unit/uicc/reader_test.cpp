// SPDX-License-Identifier: Apache-2.0
// What needs no pcscd; the rest is tests/system/pcsc.
#include "uicc/pcsc.hpp"
#include "uicc/reader_monitor.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

TEST(ReaderFilterTest, PatternAndIgnoreList) {
    const ReaderFilter usual;
    EXPECT_TRUE(usual.accepts("Gemalto PC Twin Reader (A0B1) 00 00"));
    EXPECT_FALSE(usual.accepts("Virtual PCD 00 01"));
    ReaderFilter named;
    named.pattern = "*PC Twin*[0-3]";
    named.ignore = {"*secret*"};
    EXPECT_TRUE(named.accepts("Gemalto PC Twin Reader 00 00"));
    EXPECT_FALSE(named.accepts("Gemalto PC Twin Reader 00 04"));
    EXPECT_FALSE(named.accepts("Gemalto secret PC Twin Reader 00 00"));
    EXPECT_FALSE(named.accepts("OMNIKEY 3121 00 00"));
    ReaderFilter no_pattern;
    no_pattern.pattern.clear();
    EXPECT_TRUE(no_pattern.accepts("anything"));
}

struct CodeCase {
    std::uint32_t code;
    Errc errc;
    bool service_away;
};

class PcscCodes : public testing::TestWithParam<CodeCase> {};

TEST_P(PcscCodes, AreMapped) {
    const auto error = pcsc_error(GetParam().code, "Reader 00 00");
    EXPECT_EQ(error.code, GetParam().errc);
    EXPECT_EQ(error.detail, GetParam().code);
    EXPECT_EQ(is_service_away(error), GetParam().service_away);
    EXPECT_EQ(is_card_reset(error), GetParam().code == 0x80100068);
    EXPECT_TRUE(error.context.starts_with("Reader 00 00: ")) << error.context;
}

// Numbers from the PC/SC specification, part 5, not from the header.
INSTANTIATE_TEST_SUITE_P(
    All, PcscCodes,
    testing::Values(CodeCase{0x8010001D, Errc::NoReader, true},    // no service
                    CodeCase{0x8010001E, Errc::NoReader, true},    // service stopped
                    CodeCase{0x80100003, Errc::NoReader, true},    // invalid handle
                    CodeCase{0x80100013, Errc::NoReader, true},    // comm error
                    CodeCase{0x8010002E, Errc::NoReader, false},   // no readers
                    CodeCase{0x80100009, Errc::NoReader, false},   // unknown reader
                    CodeCase{0x80100017, Errc::NoReader, false},   // reader unavailable
                    CodeCase{0x80100011, Errc::NoReader, false},   // invalid value: unplugged
                    CodeCase{0x8010000C, Errc::NoCard, false},     // no card
                    CodeCase{0x80100069, Errc::NoCard, false},     // removed
                    CodeCase{0x80100068, Errc::NoCard, false},     // reset
                    CodeCase{0x8010000B, Errc::ReaderBusy, false}, // sharing violation
                    CodeCase{0x8010000A, Errc::TimedOut, false},
                    CodeCase{0x80100002, Errc::Cancelled, false},
                    CodeCase{0x8010006A, Errc::NotAuthorized, false}, // security violation
                    CodeCase{0x80100066, Errc::CardFailed, false},    // unresponsive
                    CodeCase{0x80100067, Errc::CardFailed, false},    // unpowered
                    CodeCase{0x80100065, Errc::CardFailed, false},    // unsupported
                    CodeCase{0x80100016, Errc::CardFailed, false},    // not transacted
                    CodeCase{0x8010002F, Errc::CardFailed, false},    // comm data lost
                    CodeCase{0x8010000F, Errc::CardFailed, false},    // protocol mismatch
                    CodeCase{0x80100006, Errc::Internal, false}));

TEST(ReaderStateTest, SameCardKnowsTheCounterButNotTheUser) {
    ReaderState before{"Reader", true, false, false, {0x3B}, 0x00030022};
    auto after = before;
    after.in_use = true;
    after.raw = 0x00030122;
    EXPECT_TRUE(before.same_card(after));
    after.raw = 0x00050022; // out and in again
    EXPECT_FALSE(before.same_card(after));
    after = before;
    after.mute = true;
    EXPECT_FALSE(before.same_card(after));
    after = before;
    after.atr = {0x3F};
    EXPECT_FALSE(before.same_card(after));
    after = before;
    after.name = "Other";
    EXPECT_FALSE(before.same_card(after));
}

} // namespace
} // namespace mtkey::uicc
