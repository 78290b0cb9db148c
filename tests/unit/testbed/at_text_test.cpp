// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_modem/at_text.hpp"

#include "base/encoding.hpp"

#include <gtest/gtest.h>

namespace mtkey::testbed {
namespace {

TEST(AtText, Commands) {
    EXPECT_EQ(at_command("at+cimi"), "+cimi");
    EXPECT_EQ(at_command(" AT "), "");
    EXPECT_FALSE(at_command(""));
    EXPECT_FALSE(at_command("A"));
    EXPECT_FALSE(at_command("+CIMI"));
}

TEST(AtText, ApduArgument) {
    EXPECT_EQ(to_hex(apdu_argument("4,\"A0b1\"").value()), "a0b1");
    EXPECT_EQ(to_hex(apdu_argument(" 4 , A0B1 ").value()), "a0b1");
    for (const auto* text : {"", "4", "4,", "2,\"A0B1\"", "3,\"A0B\"", "4,\"A0BX\"", "x,\"A0B1\"",
                             "-4,\"A0B1\"", "4,\"A0B1"}) {
        EXPECT_FALSE(apdu_argument(text)) << text;
    }
}

TEST(AtText, LeBehindHeaderOrData) {
    const auto octets = [](const char* hex) { return from_hex(hex).value(); };
    EXPECT_EQ(to_hex(with_le(octets("00b0000000"), 9).reveal()), "00b0000009");
    EXPECT_EQ(to_hex(with_le(octets("00b00000"), 9).reveal()), "00b0000009");
    EXPECT_EQ(to_hex(with_le(octets("00a40004023f00"), 9).reveal()), "00a40004023f0009");
    EXPECT_EQ(to_hex(with_le(octets("00a40004023f0000"), 9).reveal()), "00a40004023f0009");
}

} // namespace
} // namespace mtkey::testbed
