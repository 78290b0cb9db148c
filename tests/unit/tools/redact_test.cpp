// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.hpp"
#include "tools/mtkey-card/redact.hpp"

#include <gtest/gtest.h>

namespace mtkey::tools {
namespace {

class RedactorTest : public ::testing::Test {
protected:
    Redactor::Exchange shown(const char* command, const char* answer) {
        return redactor(from_hex(command).value(), from_hex(answer).value());
    }

    std::string answer(const char* command, const char* octets) {
        return to_hex(shown(command, octets).answer);
    }
    Redactor redactor = Redactor::make().value();
};

// The example of TS 31.102 9.2 in usim notes: RES A54211D5E3BA50BF.
constexpr auto kAuthenticate = "0088008122"
                               "1023553cbe9637a89d218ae64dae47bf35"
                               "1055f328b43577b9b94a9ffac354dfafb3";
constexpr auto kResCkIk = "db08a54211d5e3ba50bf"
                          "10b40ba9a3c58b2a05bbf0d987b21bf8cb"
                          "10f769bcd751044604127672711c6d3441"
                          "9000";

TEST_F(RedactorTest, an_authentication_keeps_its_lengths_alone) {
    const auto out = shown(kAuthenticate, kResCkIk);
    EXPECT_TRUE(out.redacted);
    EXPECT_EQ(to_hex(out.command), kAuthenticate); // RAND and AUTN are no secrets
    const auto hex = to_hex(out.answer);
    EXPECT_EQ(hex.size(), std::string_view(kResCkIk).size());
    EXPECT_EQ(hex.substr(0, 4 + 12), "db08eeeeeeeeeeee");
    EXPECT_EQ(hex.substr(20, 2 + 28), "10" + std::string(28, 'e'));
    EXPECT_EQ(hex.substr(54, 2 + 28), "10" + std::string(28, 'e'));
    EXPECT_EQ(hex.substr(88), "9000");
    for (const auto* secret : {"a54211d5", "b40ba9a3", "f769bcd7"}) {
        EXPECT_EQ(hex.find(secret), std::string::npos) << secret;
    }
}

TEST_F(RedactorTest, get_response_inherits_the_secret) {
    EXPECT_EQ(answer(kAuthenticate, "612c"), "612c");
    const auto fetched = answer("00c000002c", kResCkIk);
    EXPECT_EQ(fetched.find("a54211d5"), std::string::npos);
    EXPECT_EQ(fetched.substr(0, 4), "db08");
    // The rest of a chain does not begin with its tag.
    EXPECT_EQ(answer("00c0000004", "010203049000").substr(0, 4), "eeee");
    // Any other command ends it.
    EXPECT_EQ(answer("00b0000004", "010203049000"), "010203049000");
    EXPECT_EQ(answer("00c0000004", "010203049000"), "010203049000");
}

TEST_F(RedactorTest, what_is_no_secret_stays) {
    const char* sync = "dc0e0102030405060708090a0b0c0d0e9000";
    const auto out = shown(kAuthenticate, sync);
    EXPECT_FALSE(out.redacted);
    EXPECT_EQ(to_hex(out.answer), sync);
    EXPECT_EQ(answer(kAuthenticate, "9862"), "9862");
    EXPECT_EQ(answer("00a40004023f00", "62009000"), "62009000");
    EXPECT_EQ(answer("00b000000a", "98010123456789abcdef9000"), "98010123456789abcdef9000");
    EXPECT_FALSE(shown("0020000100", "63c3").redacted || shown("00200001", "63c3").redacted);
}

TEST_F(RedactorTest, a_pin_is_taken_out_and_equal_ones_are_seen_to_be_equal) {
    const auto first = shown("002000010831323334ffffffff", "63c2");
    const auto again = shown("002000010831323334ffffffff", "63c1");
    const auto other = shown("002000010831323335ffffffff", "9000");
    EXPECT_TRUE(first.redacted);
    EXPECT_EQ(to_hex(first.command).substr(0, 10 + 12), "0020000108eeeeeeeeeeee");
    EXPECT_EQ(first.command, again.command);
    EXPECT_NE(first.command, other.command);
    // Another run has another salt: its tags say nothing here.
    unsigned same = 0;
    for (int i = 0; i < 3; ++i) {
        auto run = Redactor::make().value();
        same += run(from_hex("002000010831323334ffffffff").value(), Bytes{0x90, 0x00}).command ==
                first.command;
    }
    EXPECT_LT(same, 3U);
    // UNBLOCK carries PUK and PIN; a short secret gets no tag that would say what it is.
    EXPECT_EQ(to_hex(shown("002c000110"
                           "31323334353637383132333435363738",
                           "9000")
                         .command)
                  .substr(10, 28),
              std::string(28, 'e'));
    EXPECT_EQ(to_hex(shown("0020000103313233", "9000").command), "0020000103eeeeee");
}

TEST_F(RedactorTest, local_keys_and_gba_answers_are_secret) {
    const auto naf =
        answer("0088008405de01610162",
               "db207fcccccccccccccccccccccccccccccccccccccccccccccccccccccccc17d59000");
    EXPECT_EQ(naf.substr(0, 4), "db20");
    EXPECT_EQ(naf.find("7fcccc"), std::string::npos);
    EXPECT_EQ(answer("0089008000", "730301020390"
                                   "00")
                  .substr(0, 4),
              "eeee");
    EXPECT_EQ(answer("a088000010"
                     "00112233445566778899aabbccddeeff",
                     "a1a2a3a4b1b2b3b4b5b6b7b89000")
                  .substr(0, 20),
              std::string(20, 'e')); // SRES and Kc stand there without a tag
}

TEST_F(RedactorTest, files_with_keys_are_secret_however_they_are_named) {
    const char* content = "0701020304050607089000";
    shown("00a40004026f08", "9000"); // EF_KEYS
    EXPECT_EQ(answer("00b0000009", content).substr(0, 14), std::string(14, 'e'));
    EXPECT_EQ(to_hex(shown("00d60000020708", "9000").command), "00d6000002eeee");
    shown("00a40004026f07", "9000");
    EXPECT_EQ(answer("00b0000009", content), content);
    shown("00a40804047fff6fe4", "9000");
    EXPECT_EQ(answer("00b2010409", content).substr(0, 14), std::string(14, 'e'));
    shown("00a4040407a0000000871002", "9000"); // an AID is no path
    EXPECT_EQ(answer("00b0000009", content), content);
    EXPECT_EQ(answer("00b0880009", content).substr(0, 14),
              std::string(14, 'e')); // short identifier
}

} // namespace
} // namespace mtkey::tools
