// SPDX-License-Identifier: Apache-2.0
#include "uicc/pin.hpp"

#include "fakes/scripted_card.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

using test::ScriptedCard;

SecretBytes pin(std::string_view digits) {
    return SecretBytes(as_octets(digits));
}

/// satisfy_pin with key reference 01 and a PIN that counts how often it was asked for.
class PinTest : public testing::Test {
protected:
    Result<std::optional<unsigned>> satisfy(unsigned floor = 2,
                                            std::optional<std::string> digits = "1234") {
        return satisfy_pin(card_, 0x01, floor, [this, digits]() -> std::optional<SecretBytes> {
            ++asked_;
            return digits ? std::optional(pin(*digits)) : std::nullopt;
        });
    }
    void expect_error(const Result<std::optional<unsigned>>& result, Errc code,
                      std::uint32_t detail) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, code);
        EXPECT_EQ(result.error().detail, detail);
    }
    void TearDown() override { EXPECT_TRUE(card_.finished()) << card_.trouble(); }

    ScriptedCard card_;
    int asked_ = 0;
};

TEST_F(PinTest, CounterIsReadBeforeThePinIsShown) {
    card_.expect("00200001", "63c3").expect("00200001 08 31323334ffffffff", "9000");
    const auto result = satisfy();
    ASSERT_TRUE(result) << describe(result.error());
    EXPECT_EQ(*result, 3U);
    EXPECT_EQ(asked_, 1);
}

TEST_F(PinTest, LongestPin) {
    card_.expect("00200001", "63c3").expect("00200001 08 3132333435363738", "9000");
    EXPECT_TRUE(satisfy(2, "12345678"));
}

TEST_F(PinTest, VerifiedAlreadyOrOff) {
    for (const auto* status : {"9000", "9110", "6984", "6a88"}) {
        card_.expect("00200001", status);
        const auto result = satisfy();
        ASSERT_TRUE(result) << status;
        EXPECT_FALSE(*result) << status;
    }
    EXPECT_EQ(asked_, 0);
}

TEST_F(PinTest, FloorIsKept) {
    card_.expect("00200001", "63c1");
    expect_error(satisfy(), Errc::PinFloor, 1);
    card_.expect("00200001", "63c2");
    expect_error(satisfy(3), Errc::PinFloor, 2);
    EXPECT_EQ(asked_, 0);
    card_.expect("00200001", "63c1").expect("0020000108 31323334ffffffff", "9000");
    EXPECT_TRUE(satisfy(1)); // somebody's explicit wish
}

TEST_F(PinTest, BlockedIsBlocked) {
    for (const auto* status : {"6983", "63c0"}) {
        card_.expect("00200001", status);
        const auto result = satisfy();
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, Errc::PinBlocked);
    }
    EXPECT_EQ(asked_, 0);
}

TEST_F(PinTest, NoPinAtHand) {
    card_.expect("00200001", "63c3");
    expect_error(satisfy(2, std::nullopt), Errc::PinRequired, 3);
    EXPECT_EQ(asked_, 1);
    card_.expect("00200001", "63c3");
    expect_error(satisfy_pin(card_, 0x01, 2, nullptr), Errc::PinRequired, 3);
}

TEST_F(PinTest, WrongPinIsShownOnce) {
    card_.expect("00200001", "63c3").expect("0020000108 31323334ffffffff", "63c2");
    expect_error(satisfy(), Errc::PinIncorrect, 2);
    card_.expect("00200001", "63c2").expect("0020000108 31323334ffffffff", "63c0");
    expect_error(satisfy(), Errc::PinBlocked, 0x63C0);
    card_.expect("00200001", "63c2").expect("0020000108 31323334ffffffff", "6983");
    expect_error(satisfy(), Errc::PinBlocked, 0x6983);
}

TEST_F(PinTest, SwitchedOffMeanwhile) {
    card_.expect("00200001", "63c3").expect("0020000108 31323334ffffffff", "6984");
    EXPECT_TRUE(satisfy());
}

TEST_F(PinTest, CardThatDoesNotTellItsCounterIsShownNoPin) {
    for (const auto* status : {"6700", "6300", "6f00", "6d00", "63d3"}) {
        card_.expect("00200001", status);
        const auto result = satisfy();
        ASSERT_FALSE(result) << status;
        EXPECT_EQ(result.error().code, Errc::PinFloor) << status;
    }
    EXPECT_EQ(asked_, 0);
}

TEST_F(PinTest, WhateverIsNotSuccessIsARefusal) {
    // 63 00 and 98 04 say so; of the others nobody knows: they count as if they had.
    for (const auto* status : {"6300", "9804", "6581", "6f00", "6982", "6a80", "9300"}) {
        card_.expect("00200001", "63c3")
            .expect("0020000108 31323334ffffffff", status)
            .expect("00200001", "63c2");
        expect_error(satisfy(), Errc::PinIncorrect, 2);
    }
    card_.expect("00200001", "63c3")
        .expect("0020000108 31323334ffffffff", "6300")
        .expect("00200001", "6983");
    expect_error(satisfy(), Errc::PinBlocked, 0x6983);
    card_.expect("00200001", "63c3")
        .expect("0020000108 31323334ffffffff", "6300")
        .expect("00200001", "6700");
    expect_error(satisfy(), Errc::PinIncorrect, 0);
    card_.expect("00200001", "63c3")
        .expect("0020000108 31323334ffffffff", "6300")
        .expect_error("00200001", Errc::NoCard);
    expect_error(satisfy(), Errc::PinIncorrect, 0);
}

TEST_F(PinTest, OnlyDigitsAreSent) {
    for (const auto* digits : {"", "123", "123456789", "12a4", "12 4", "-123"}) {
        card_.expect("00200001", "63c3");
        const auto result = satisfy(2, digits);
        ASSERT_FALSE(result) << digits;
        EXPECT_EQ(result.error().code, Errc::InvalidArgument) << digits;
    }
}

TEST_F(PinTest, CardRemovedInBetween) {
    card_.expect_error("00200001", Errc::NoCard);
    EXPECT_FALSE(satisfy());
    EXPECT_EQ(asked_, 0);
    card_.expect("00200001", "63c3").expect_error("0020000108 31323334ffffffff", Errc::NoCard);
    const auto result = satisfy();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::NoCard);
}

TEST_F(PinTest, UniversalPinHasItsOwnReference) {
    card_.expect("00200011", "63c3").expect("0020001108 31323334ffffffff", "9000");
    EXPECT_TRUE(satisfy_pin(card_, 0x11, 2, [] { return std::optional(pin("1234")); }));
}

} // namespace
} // namespace mtkey::uicc
