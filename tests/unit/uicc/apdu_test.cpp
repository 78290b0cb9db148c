// SPDX-License-Identifier: Apache-2.0
#include "uicc/apdu.hpp"

#include "base/encoding.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

struct Case {
    const char* name;
    const char* octets;
    std::size_t data;
    std::optional<std::uint16_t> le;
};

class ApduForms : public testing::TestWithParam<Case> {};

TEST_P(ApduForms, AreParsedAndEncodedBack) {
    const auto& form = GetParam();
    const auto octets = *from_hex(form.octets);
    const auto command = parse_command(octets);
    ASSERT_TRUE(command) << describe(command.error());
    EXPECT_EQ(command->data.size(), form.data);
    EXPECT_EQ(command->le, form.le);
    EXPECT_EQ(to_hex(command->encode().reveal()), form.octets);
}

INSTANTIATE_TEST_SUITE_P(Iso7816, ApduForms,
                         testing::Values(Case{"Case1", "80f2010c", 0, std::nullopt},
                                         Case{"Case2", "00b000000a", 0, 10},
                                         Case{"Case2Most", "00c0000000", 0, 256},
                                         Case{"Case3", "00a4000c022fe2", 2, std::nullopt},
                                         Case{"Case4", "00a40004022fe200", 2, 256},
                                         Case{"Case4Le", "00a40004022fe210", 2, 16}),
                         [](const auto& instance) { return instance.param.name; });

TEST(ApduTest, HeaderFieldsKeepTheirPlaces) {
    const auto command = parse_command(*from_hex("8123456702aabb"));
    ASSERT_TRUE(command);
    EXPECT_EQ(command->cla, 0x81);
    EXPECT_EQ(command->ins, 0x23);
    EXPECT_EQ(command->p1, 0x45);
    EXPECT_EQ(command->p2, 0x67);
    EXPECT_EQ(to_hex(command->data.reveal()), "aabb");
}

TEST(ApduTest, LongestDataIsAccepted) {
    Bytes octets = *from_hex("00d60000ff");
    octets.resize(5 + 255, 0x5A);
    const auto command = parse_command(octets);
    ASSERT_TRUE(command);
    EXPECT_EQ(command->data.size(), 255U);
    EXPECT_FALSE(command->le);
}

class BadApdus : public testing::TestWithParam<const char*> {};

TEST_P(BadApdus, AreMalformed) {
    const auto command = parse_command(*from_hex(GetParam()));
    ASSERT_FALSE(command);
    EXPECT_EQ(command.error().code, Errc::Malformed);
}

INSTANTIATE_TEST_SUITE_P(Lengths, BadApdus,
                         testing::Values("", "00", "00a400", "00a4000402aa", "00a4000402aabb0000",
                                         "00a40004020102030405", "00b00000000100", "00b0000000000a",
                                         "00d6000000000102030405"));

TEST(ApduTest, StatusWordsThatMeanSuccess) {
    const auto ok = [](std::uint16_t sw) {
        ResponseApdu response;
        response.sw = sw;
        return response.ok();
    };
    EXPECT_TRUE(ok(0x9000));
    EXPECT_TRUE(ok(0x9100)); // a proactive command waits; it is left there
    EXPECT_TRUE(ok(0x912A));
    EXPECT_FALSE(ok(0x9200));
    EXPECT_FALSE(ok(0x9001));
    EXPECT_FALSE(ok(0x6282));
    EXPECT_FALSE(ok(0x6A82));
    EXPECT_FALSE(ok(0));
}

} // namespace
} // namespace mtkey::uicc
