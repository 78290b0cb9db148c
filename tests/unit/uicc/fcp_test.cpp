// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.hpp"
#include "uicc/ef_parsers.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

Result<Fcp> parse(const std::string& hex) {
    const auto octets = *from_hex(hex);
    return parse_fcp(octets);
}

// FCPs of real cards, as they stand in public traces.
TEST(FcpTest, TransparentFiles) {
    for (const auto* sample :
         {"62178202412183022fe28a01058b032f06028002000a880110",
          "621f8202412183022fe2a506c00100de01008a01058b032f060c8002000a880110",
          "621f8202412183022fe2a506d00120d201058a01058b032f06028002000a880110",
          "621e8202412183022fe2a506c00100ca01808a01058b032f06048002000a8800"}) {
        const auto fcp = parse(sample);
        ASSERT_TRUE(fcp) << describe(fcp.error());
        EXPECT_EQ(fcp->structure, Fcp::Structure::Transparent);
        EXPECT_EQ(fcp->file_size, 10U);
        EXPECT_EQ(fcp->record_length, 0U);
        EXPECT_FALSE(fcp->has_pin_status);
    }
}

TEST(FcpTest, LinearFixedFile) {
    const auto fcp = parse("621a8205422100281083026f068a01058b036f0602800202808801b8");
    ASSERT_TRUE(fcp) << describe(fcp.error());
    EXPECT_EQ(fcp->structure, Fcp::Structure::LinearFixed);
    EXPECT_EQ(fcp->record_length, 0x28U);
    EXPECT_EQ(fcp->record_count, 0x10U);
    EXPECT_EQ(fcp->file_size, 0x280U);
}

TEST(FcpTest, Directories) {
    const auto off = parse("623d8202782183027fd0840ca0000000871002ff49ff0589a50c80017183040003a738"
                           "8701018a01058b032f0601c60f90017083010183018183010a83010b");
    ASSERT_TRUE(off) << describe(off.error());
    EXPECT_EQ(off->structure, Fcp::Structure::Directory);
    ASSERT_EQ(off->pins.size(), 4U);
    EXPECT_EQ(off->pins[0].reference, 0x01);
    EXPECT_FALSE(off->pins[0].enabled); // bit 8 of 70
    EXPECT_TRUE(off->pins[1].enabled);
    EXPECT_EQ(required_pin(*off), std::nullopt);
    const auto on =
        parse("623c8202782183027ff08410a0000000871002ff33ffff8906030100a5078001718302235"
              "68a01058b032f0602c60f9001f083010183010a83010b830181");
    ASSERT_TRUE(on) << describe(on.error());
    EXPECT_EQ(required_pin(*on), 0x01);
    const auto none =
        parse("62228202782183027ff08410a0000000871002ffffffff89070900008a01058b032f060f");
    ASSERT_TRUE(none) << describe(none.error());
    EXPECT_FALSE(none->has_pin_status);
}

TEST(FcpTest, OldCards) {
    for (const auto* sample : {"620482024221", "620682044221006e"}) {
        const auto records = parse(sample); // tag 82 without the record length
        ASSERT_TRUE(records) << sample;
        EXPECT_EQ(records->structure, Fcp::Structure::LinearFixed);
        EXPECT_EQ(records->record_length, 0U);
    }
    const auto total = parse("620882024121810200b0");
    ASSERT_TRUE(total);
    EXPECT_FALSE(total->file_size);
    EXPECT_EQ(total->total_size, 0xB0U);
    const auto application = parse("621282027821840ca0000000871002ff49ff0589");
    ASSERT_TRUE(application);
    EXPECT_EQ(to_hex(application->df_name), "a0000000871002ff49ff0589");
}

TEST(FcpTest, OuterLengthThatLies) {
    EXPECT_FALSE(parse("62188202412183022fe28a01058b032f06028002000a880110"));
    EXPECT_FALSE(parse("62168202412183022fe28a01058b032f06028002000a880110"));
    EXPECT_FALSE(parse("62028202"));
}

struct PinCase {
    const char* name;
    const char* content; ///< of template C6
    int reference;       ///< -1 = none
};

class PinStatusTemplates : public testing::TestWithParam<PinCase> {};

// TS 102 221 clause 9.5.2: which PIN to verify.
TEST_P(PinStatusTemplates, NameThePinToVerify) {
    const auto content = *from_hex(GetParam().content);
    Bytes octets = *from_hex("62008202782183027fffc600");
    octets.back() = static_cast<std::uint8_t>(content.size());
    append(octets, content);
    octets[1] = static_cast<std::uint8_t>(octets.size() - 2);
    const auto fcp = parse_fcp(octets);
    ASSERT_TRUE(fcp) << describe(fcp.error());
    EXPECT_TRUE(fcp->has_pin_status);
    const auto reference = required_pin(*fcp);
    EXPECT_EQ(reference ? *reference : -1, GetParam().reference);
}

INSTANTIATE_TEST_SUITE_P(
    Clause952, PinStatusTemplates,
    testing::Values(PinCase{"ApplicationOn", "900180830101830181", 0x01},
                    PinCase{"ApplicationOff", "900140830101830181", -1},
                    PinCase{"SecondApplicationPin", "900180830102", 0x02},
                    PinCase{"OffThenUniversalInUse", "900140830101950108830111", 0x11},
                    PinCase{"OffThenUniversalNotInUse", "900140830101950100830111", -1},
                    PinCase{"UniversalWithoutQualifier", "900140830101830111", 0x11},
                    PinCase{"ApplicationBeforeUniversal", "9001c0950108830111830101", 0x01},
                    PinCase{"OnlyLocalAndAdministrative", "9001c083018183010a", -1},
                    PinCase{"Nothing", "900100", -1}, PinCase{"Empty", "", -1},
                    PinCase{"NinthPin",
                            "90020080"
                            "830181830182830183830184830185830186830187830188830101",
                            0x01}),
    [](const auto& instance) { return instance.param.name; });

TEST(FcpTest, UnknownTagsAreSkipped) {
    const auto fcp = parse("620e99019f9f7002aabb80020010d500");
    ASSERT_TRUE(fcp) << describe(fcp.error());
    EXPECT_EQ(fcp->file_size, 16U);
}

TEST(FcpTest, LongLengthForms) {
    const auto fcp = parse("62810682810180800110");
    ASSERT_FALSE(fcp); // the outer object is longer than what is there
    const auto good = parse("62810782810101800110");
    ASSERT_TRUE(good) << describe(good.error());
    EXPECT_EQ(good->structure, Fcp::Structure::Transparent);
    EXPECT_EQ(good->file_size, 16U);
}

TEST(FcpTest, SomethingBehindItIsIgnored) {
    EXPECT_TRUE(parse("620480020010aabbcc"));
}

class BadFcps : public testing::TestWithParam<const char*> {};

TEST_P(BadFcps, AreMalformed) {
    const auto fcp = parse(GetParam());
    ASSERT_FALSE(fcp);
    EXPECT_EQ(fcp.error().code, Errc::Malformed);
}

INSTANTIATE_TEST_SUITE_P(Hostile, BadFcps,
                         testing::Values("", "62", "62ff", "6f0480020010", "9000", "62028000",
                                         "620780050000000001", "62028200", "62028100",
                                         "620781050000000001", "6205c60383010162",
                                         "6206c60490008301", "6208c606900180830200",
                                         "620bc609900180830201028300", "6204c6029001", "6203808001",
                                         "62820100"));

TEST(FcpTest, ManyKeyReferencesEnd) {
    Bytes content = *from_hex("9008ffffffffffffffff");
    for (int i = 0; i < 40; ++i) {
        append_u16(content, 0x8301);
        content.push_back(0x0A);
    }
    Bytes octets = *from_hex("6281");
    octets.push_back(static_cast<std::uint8_t>(content.size() + 3));
    octets.push_back(0xC6);
    octets.push_back(0x81);
    octets.push_back(static_cast<std::uint8_t>(content.size()));
    append(octets, content);
    EXPECT_FALSE(parse_fcp(octets));
}

} // namespace
} // namespace mtkey::uicc
