// SPDX-License-Identifier: Apache-2.0
// What needs no pcscd; the rest is tests/system/pcsc.
#include "uicc/pcsc.hpp"
#include "uicc/reader_choice.hpp"
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

ReaderState reader(const std::string& name, const std::string& flags = "") {
    ReaderState out;
    out.name = name;
    out.present = flags.find("empty") == std::string::npos;
    out.mute = flags.find("mute") != std::string::npos;
    out.in_use = flags.find("used") != std::string::npos;
    return out;
}
/// Name of the reader chosen, then those skipped with their reasons.
std::string chosen(const std::vector<ReaderState>& readers, const ReaderWish& wish,
                   const std::function<Result<std::string>(const ReaderState&)>& iccid_of = {}) {
    const auto choice = choose_reader(readers, wish, iccid_of);
    std::string out = choice.chosen ? choice.chosen->name : "none";
    for (const auto& skipped : choice.skipped) {
        out += "; " + skipped.name + " " + std::to_string(static_cast<int>(skipped.why));
        EXPECT_FALSE(describe(skipped.why).empty());
    }
    return out;
}
std::string because(ReaderSkip why) {
    return std::to_string(static_cast<int>(why));
}

TEST(ChooseReaderTest, ByName) {
    ReaderWish wish;
    EXPECT_EQ(chosen({}, wish), "none");
    EXPECT_EQ(chosen({reader("Virtual PCD 00 00")}, wish),
              "none; Virtual PCD 00 00 " + because(ReaderSkip::Virtual));
    wish.allow_virtual = true;
    EXPECT_EQ(chosen({reader("Virtual PCD 00 00")}, wish), "Virtual PCD 00 00");
    wish.pattern = "B*";
    wish.ignore = {"* 1"};
    EXPECT_EQ(
        chosen({reader("A 0"), reader("B 1"), reader("B 2"), reader("B 3"), reader("A 4")}, wish),
        "B 2; A 0 " + because(ReaderSkip::OtherName) + "; B 1 " + because(ReaderSkip::Ignored) +
            "; B 3 " + because(ReaderSkip::NotNeeded) + "; A 4 " + because(ReaderSkip::OtherName));
    const auto filter = filter_of(wish);
    EXPECT_TRUE(filter.accepts("B 2"));
    EXPECT_FALSE(filter.accepts("B 1"));
    EXPECT_FALSE(filter.accepts("A 0"));
    EXPECT_FALSE(filter_of(ReaderWish{}).accepts("Virtual PCD 00 00"));
}

TEST(ChooseReaderTest, ByState) {
    const ReaderWish wish;
    EXPECT_EQ(
        chosen({reader("A", "empty"), reader("B", "mute"), reader("C", "used"), reader("D")}, wish),
        "D; A " + because(ReaderSkip::NoCard) + "; B " + because(ReaderSkip::MuteCard) + "; C " +
            because(ReaderSkip::InUse));
    // Better one in use than none.
    EXPECT_EQ(chosen({reader("A", "empty"), reader("B", "used"), reader("C", "used")}, wish),
              "B; A " + because(ReaderSkip::NoCard) + "; C " + because(ReaderSkip::InUse));
}

TEST(ChooseReaderTest, ByIccid) {
    ReaderWish wish;
    wish.iccid = "89012";
    std::string asked;
    const auto iccid_of = [&](const ReaderState& state) -> Result<std::string> {
        asked += state.name;
        if (state.name == "C") {
            return fail(Errc::CardFailed);
        }
        return std::string(state.name == "D" ? "89012" : "89999");
    };
    const std::vector readers{reader("A", "empty"), reader("B"), reader("C"), reader("D"),
                              reader("E")};
    EXPECT_EQ(chosen(readers, wish, iccid_of), "D; A " + because(ReaderSkip::NoCard) + "; B " +
                                                   because(ReaderSkip::OtherCard) + "; C " +
                                                   because(ReaderSkip::CardNotRead) + "; E " +
                                                   because(ReaderSkip::NotNeeded));
    EXPECT_EQ(asked, "BCD");
    EXPECT_EQ(chosen({reader("D")}, wish), "none; D " + because(ReaderSkip::CardNotRead));
}

} // namespace
} // namespace mtkey::uicc
