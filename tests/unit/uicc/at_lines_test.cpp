// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.hpp"
#include "uicc/at_lines.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

std::string payload_of(std::string_view text, const AtQuestion& question) {
    const auto answer = parse_at_answer(text, question);
    if (!answer) {
        return "malformed";
    }
    if (!*answer) {
        return "unfinished";
    }
    switch ((*answer)->result) {
    case AtAnswer::Result::Error:
        return "error";
    case AtAnswer::Result::CmeError:
        return "cme " + std::to_string((*answer)->cme);
    case AtAnswer::Result::Ok:
        break;
    }
    return (*answer)->payload ? std::string(*(*answer)->payload) : "nothing";
}

std::string apdu_of(std::string_view payload) {
    const auto apdu = parse_at_apdu(payload);
    return apdu ? to_hex(apdu->reveal()) : "malformed";
}

constexpr AtQuestion kCsim{"+CSIM:"};
constexpr AtQuestion kCcho{"+CCHO:", true};

TEST(AtAnswer, is_found_among_other_lines) {
    struct Case {
        const char* text;
        const char* expected;
    };
    constexpr std::array kCases{
        Case{"\r\n+CSIM: 4,\"9000\"\r\n\r\nOK\r\n", "4,\"9000\""},
        Case{"+CSIM: 4,\"9000\"\r\nOK\r\n", "4,\"9000\""},
        Case{"+CSIM: 4,\"9000\"\nOK\n", "4,\"9000\""},
        Case{"AT+CSIM=14,\"00A40004023F00\"\r\r\n+CSIM: 4,\"9000\"\r\n\r\nOK\r\n", "4,\"9000\""},
        Case{"\r\n+CREG: 1\r\n\r\n+CSIM:4,9000 \r\n^RSSI: 17\r\nOK\r\n", "4,9000"},
        Case{"\r\nRING\r\n\r\nNO CARRIER\r\n+CSIM: 4,\"6A82\"\r\nOK\r\n", "4,\"6A82\""},
        Case{"\r\nOK\r\n", "nothing"},
        Case{"\r\nOK", "unfinished"},
        Case{"\r\n+CSIM: 4,\"9000\"\r\n", "unfinished"},
        Case{"", "unfinished"},
        Case{"OKAY\r\nNOK\r\n", "unfinished"},
        Case{"\r\nERROR\r\n", "error"},
        Case{"\r\nCOMMAND NOT SUPPORT\r\n", "error"},
        Case{"\r\n+CMS ERROR: 310\r\n", "error"},
        Case{"\r\n+CME ERROR: 10\r\n", "cme 10"},
        Case{"\r\n+CME ERROR:SIM not inserted\r\n", "cme 10"},
        Case{"\r\n+CME ERROR: (U)SIM busy\r\n", "cme 14"},
        Case{"\r\n+CME ERROR: SIM PIN REQUIRED\r\n", "cme 11"},
        Case{"\r\n+CME ERROR: something else\r\n", "cme 100"},
        Case{"\r\n+CME ERROR: 70000\r\n", "cme 100"},
        Case{"+CSIM: 4,\"9000\"\r\n+CSIM: 4,\"9000\"\r\nOK\r\n", "malformed"},
        Case{"2\r\nOK\r\n", "nothing"},
    };
    for (const auto& one : kCases) {
        EXPECT_EQ(payload_of(one.text, kCsim), one.expected) << one.text;
    }
}

TEST(AtAnswer, a_session_may_stand_alone) {
    EXPECT_EQ(payload_of("+CCHO: 2\r\nOK\r\n", kCcho), "2");
    EXPECT_EQ(payload_of("2\r\n\r\nOK\r\n", kCcho), "2");
    EXPECT_EQ(payload_of("AT+CCHO=\"A000\"\r\r\n1\r\n\r\nOK\r\n", kCcho), "1");
    EXPECT_EQ(payload_of("-1\r\nOK\r\n", kCcho), "nothing");
}

TEST(AtAnswer, that_needs_its_line_passes_over_those_of_earlier_commands) {
    constexpr AtQuestion kNeeded{"+CMEE:", false, true};
    EXPECT_EQ(payload_of("+CSIM: 4,\"9000\"\r\nOK\r\n", kNeeded), "unfinished");
    EXPECT_EQ(payload_of("+CSIM: 4,\"9000\"\r\nOK\r\n+CMEE: 1\r\nOK\r\n", kNeeded), "1");
    EXPECT_EQ(payload_of("ERROR\r\n+CMEE: 1\r\nOK\r\n", kNeeded), "1");
}

TEST(AtApdu, comes_in_many_spellings) {
    for (const auto* text : {"4,\"9000\"", "4, \"9000\"", "4,9000", "\"9000\"", "9000",
                             " 4 , \"9000\" ", "4,\" 9000 \"", "2,\"9000\""}) {
        EXPECT_EQ(apdu_of(text), "9000") << text;
    }
    EXPECT_EQ(apdu_of("8,\"6a82AbCd\""), "6a82abcd");
    EXPECT_EQ(apdu_of("0,\"\""), "");
    for (const auto* text : {"6,\"9000\"", "4,\"9000", "4,\"", "x,\"9000\"", "4,\"90 0\"",
                             "3,\"900\"", "4,\"90G0\"", ",\"9000\"", "4,9000,1"}) {
        EXPECT_EQ(apdu_of(text), "malformed") << text;
    }
    EXPECT_EQ(apdu_of(std::string(258 * 2, '0')).size(), 258U * 2);
    EXPECT_EQ(apdu_of(std::string(259 * 2, '0')), "malformed");
}

TEST(AtSession, is_a_number) {
    EXPECT_EQ(parse_at_session("3").value(), 3U);
    EXPECT_EQ(parse_at_session(" \"257\" ").value(), 257U);
    for (const auto* text : {"", "a", "1,2", "-1", "99999999999"}) {
        EXPECT_FALSE(parse_at_session(text)) << text;
    }
}

TEST(CmeError, says_what_the_modem_said) {
    const auto no_card = cme_error(10, "ttyX: AT+CSIM").error();
    EXPECT_EQ(no_card.code, Errc::NoCard);
    EXPECT_EQ(no_card.detail, 10U);
    EXPECT_EQ(no_card.context, "ttyX: AT+CSIM: SIM not inserted");
    EXPECT_EQ(cme_error(11, "").error().code, Errc::PinRequired);
    EXPECT_EQ(cme_error(12, "").error().code, Errc::PinBlocked);
    EXPECT_EQ(cme_error(14, "").error().code, Errc::ReaderBusy);
    EXPECT_EQ(cme_error(4, "").error().code, Errc::Rejected);
    EXPECT_EQ(cme_error(999, "").error().code, Errc::CardFailed);
    EXPECT_EQ(cme_error(999, "").error().detail, 999U);
}

TEST(AtUnsolicited, lines_about_the_card_are_known) {
    using Lines = std::vector<std::string_view>;
    for (const char* line :
         {"+CPIN: NOT READY", "+QSIMSTAT: 1,0", "+QUSIM: 1", "^SIMST: 255,1", "#QSS: 0",
          "+SIMCARD: NOT AVAILABLE", "SIM REMOVED", "*SIMST:0", "+SIMREADY"}) {
        const auto text = "\r\nRING\r\n " + std::string(line) + "\r\n\r\nOK\r\n";
        EXPECT_EQ(card_lines(text), Lines{line});
        EXPECT_EQ(card_lines(line), Lines{}) << "before its end";
    }
    for (const char* line :
         {"+CSIM: 4,\"9000\"", "AT+CSIM=14,\"00A40004023F00\"", "+CME ERROR: SIM not inserted",
          "+CREG: 1", "RING", "OK", "+CCHO: 1", "+CUSD: 0,\"SIM\"", "SIMPLE", ":", ""}) {
        EXPECT_EQ(card_lines("\r\n" + std::string(line) + "\r\n"), Lines{}) << line;
    }
}

} // namespace
} // namespace mtkey::uicc
