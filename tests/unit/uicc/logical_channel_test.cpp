// SPDX-License-Identifier: Apache-2.0
#include "uicc/logical_channel.hpp"

#include "fakes/scripted_card.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

using test::ScriptedCard;

CommandApdu command(const std::string& hex) {
    return *parse_command(*from_hex(hex));
}

struct ClassCase {
    unsigned cla;
    unsigned channel;
    unsigned expected;
};

// TS 102 221 tables 10.3 and 10.4a.
TEST(ClassOnChannelTest, BothForms) {
    for (const auto& [cla, channel, expected] :
         {ClassCase{0x00, 0, 0x00}, ClassCase{0x00, 1, 0x01}, ClassCase{0x00, 3, 0x03},
          ClassCase{0x80, 0, 0x80}, ClassCase{0x80, 2, 0x82}, ClassCase{0x00, 4, 0x40},
          ClassCase{0x00, 5, 0x41}, ClassCase{0x00, 19, 0x4F}, ClassCase{0x80, 4, 0xC0},
          ClassCase{0x80, 19, 0xCF}, ClassCase{0xA0, 3, 0xA0}, ClassCase{0xA0, 7, 0xA0}}) {
        EXPECT_EQ(
            class_on_channel(static_cast<std::uint8_t>(cla), static_cast<std::uint8_t>(channel)),
            expected)
            << std::hex << cla << " on " << channel;
    }
}

TEST(LogicalChannelTest, OpenedUsedAndClosed) {
    ScriptedCard card;
    card.expect("0070000001", "029000");
    {
        auto channel = LogicalChannel::open(card);
        ASSERT_TRUE(channel) << card.trouble();
        EXPECT_EQ(channel->number(), 2);
        card.expect("02a4000c022fe2", "9000")
            .expect("82f2010c", "9000")
            .expect("0288008402aabb00", "db9000");
        EXPECT_TRUE(channel->transmit(command("00a4000c022fe2")));
        EXPECT_TRUE(channel->transmit(command("80f2010c")));
        const auto response = channel->transmit(command("0088008402aabb00"));
        ASSERT_TRUE(response);
        EXPECT_EQ(to_hex(response->data.reveal()), "db");
        // Moved, it is closed once.
        const auto moved = *std::move(channel);
        card.expect("00708002", "9000");
    }
    EXPECT_TRUE(card.finished()) << card.trouble();
}

TEST(LogicalChannelTest, GetResponseFollows) {
    test::ScriptedRawCard raw;
    raw.expect("0070000001", "079000")
        .expect("4388008402aabb", "6102")
        .expect("43c0000002", "01029000")
        .expect("c3f2000c00", "6c01")
        .expect("c3f2000c01", "aa9000")
        .expect("0070800700", "9000");
    {
        MappedChannel mapped(raw, Protocol::T0);
        auto channel = LogicalChannel::open(mapped);
        ASSERT_TRUE(channel) << raw.trouble();
        EXPECT_EQ(channel->number(), 7);
        const auto response = channel->transmit(command("0088008402aabb00"));
        ASSERT_TRUE(response);
        EXPECT_EQ(to_hex(response->data.reveal()), "0102");
        EXPECT_TRUE(channel->transmit(command("80f2000c00")));
    }
    EXPECT_TRUE(raw.finished()) << raw.trouble();
}

TEST(LogicalChannelTest, BasicChannelWhereThereIsNone) {
    for (const auto* status : {"6881", "6a81", "6d00", "6e00"}) {
        ScriptedCard card;
        card.expect("0070000001", status).expect("00a4000c022fe2", "9000");
        {
            auto channel = LogicalChannel::open(card);
            ASSERT_TRUE(channel) << status;
            EXPECT_EQ(channel->number(), 0) << status;
            EXPECT_TRUE(channel->transmit(command("00a4000c022fe2")));
        }
        EXPECT_TRUE(card.finished()) << card.trouble();
    }
}

TEST(LogicalChannelTest, Refusals) {
    for (const auto* answer : {"6f00", "6982", "9000", "009000", "149000", "ff9000", "01029000"}) {
        ScriptedCard card;
        card.expect("0070000001", answer);
        EXPECT_FALSE(LogicalChannel::open(card)) << answer;
        EXPECT_TRUE(card.finished()) << card.trouble();
    }
    ScriptedCard gone;
    gone.expect_error("0070000001", Errc::NoCard);
    const auto channel = LogicalChannel::open(gone);
    ASSERT_FALSE(channel);
    EXPECT_EQ(channel.error().code, Errc::NoCard);
}

TEST(LogicalChannelTest, CardThatHasGoneIsNoTroubleAtTheEnd) {
    ScriptedCard card;
    card.expect("0070000001", "019000")
        .expect_error("01b0000001", Errc::NoCard)
        .expect_error("00708001", Errc::NoCard);
    {
        auto channel = LogicalChannel::open(card);
        ASSERT_TRUE(channel);
        EXPECT_FALSE(channel->transmit(command("00b0000001")));
    }
    EXPECT_TRUE(card.finished()) << card.trouble();
}

} // namespace
} // namespace mtkey::uicc
