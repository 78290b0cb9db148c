// SPDX-License-Identifier: Apache-2.0
// ATRs of real cards as they stand in Ludovic Rousseau's list (smartcard_list.txt) and pySim; what
// they must come to was worked out by hand with ISO/IEC 7816-3 and 7816-4.
#include "uicc/atr.hpp"

#include "base/encoding.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

Result<Atr> parse(const std::string& hex) {
    const auto octets = *from_hex(hex);
    return parse_atr(octets);
}
std::string interface_of(const Atr& atr) {
    std::string out;
    for (const auto& octet : atr.interface_octets) {
        out += (out.empty() ? "" : " ") + octet.name() + "=" + to_hex(Bytes{octet.value});
    }
    return out;
}

TEST(AtrTest, SysmoIsimSja2) {
    const auto atr = parse("3b9f96801f878031e073fe211b674a4c753034054ba9");
    ASSERT_TRUE(atr) << describe(atr.error());
    EXPECT_FALSE(atr->inverse);
    EXPECT_EQ(interface_of(*atr), "TA1=96 TD1=80 TD2=1f TA3=87");
    EXPECT_EQ(atr->protocols, std::vector<std::uint8_t>{0});
    EXPECT_EQ(atr->check, Atr::Check::Right);
    EXPECT_EQ(atr->clock_divider, 512U);
    EXPECT_EQ(atr->baud_divider, 32U);
    EXPECT_EQ(atr->voltages, (std::vector<std::string>{"5 V", "3 V", "1.8 V"}));
    EXPECT_EQ(to_hex(atr->historical), "8031e073fe211b674a4c753034054b");
    ASSERT_TRUE(atr->capabilities);
    EXPECT_TRUE(atr->capabilities->select_by_full_name);
    EXPECT_TRUE(atr->capabilities->short_identifiers);
    EXPECT_FALSE(atr->capabilities->command_chaining);
    EXPECT_EQ(atr->capabilities->logical_channels, 4U);
}

TEST(AtrTest, T1WithItsOwnOctets) {
    // IFSC 254, BWI 4, CWI 5, LRC.
    const auto atr = parse("3bd518ff8191fe1fc38073c8211309");
    ASSERT_TRUE(atr) << describe(atr.error());
    EXPECT_EQ(interface_of(*atr), "TA1=18 TC1=ff TD1=81 TD2=91 TA3=fe TD3=1f TA4=c3");
    EXPECT_EQ(atr->protocols, std::vector<std::uint8_t>{1});
    EXPECT_EQ(atr->information_field, 254U);
    EXPECT_EQ(atr->extra_guard_time, 255U);
    EXPECT_EQ(atr->crc, false);
    EXPECT_EQ(atr->voltages, (std::vector<std::string>{"5 V", "3 V"}));
    ASSERT_TRUE(atr->capabilities);
    EXPECT_EQ(atr->interface_octets[4].protocol, 1);
    EXPECT_EQ(atr->interface_octets[6].protocol, 15);
    EXPECT_FALSE(atr->interface_octets[0].protocol);
}

TEST(AtrTest, Smallest) {
    const auto atr = parse("3b00");
    ASSERT_TRUE(atr);
    EXPECT_EQ(atr->protocols, std::vector<std::uint8_t>{0});
    EXPECT_EQ(atr->check, Atr::Check::NotWanted);
    EXPECT_TRUE(atr->historical.empty());
    EXPECT_FALSE(atr->capabilities);
    EXPECT_TRUE(parse("3f00")->inverse);
}

TEST(AtrTest, OldGsmCard) {
    // TB1, then 15 historical octets; one less, one more.
    EXPECT_TRUE(parse("3f2f008069af030703590000150000008400"));
    EXPECT_FALSE(parse("3f2f008069af0307035900001500000084"));
    EXPECT_FALSE(parse("3f2f008069af03070359000015000000840000"));
    const auto sim = parse("3b3f94008069af03070359000011000000840e");
    ASSERT_TRUE(sim) << describe(sim.error());
    EXPECT_EQ(interface_of(*sim), "TA1=94 TB1=00");
    EXPECT_EQ(sim->historical.size(), 15U);
    EXPECT_EQ(sim->baud_divider, 8U);
}

TEST(AtrTest, SpecificMode) {
    const auto specific = parse("3b80901100"); // TD1: TA2 and TD2, T=0; TA2=11: T=1 alone
    ASSERT_TRUE(specific) << describe(specific.error());
    EXPECT_EQ(specific->specific_protocol, 1);
    const auto waiting = parse("3b80400f"); // TC2
    ASSERT_TRUE(waiting);
    EXPECT_EQ(waiting->waiting_integer, 15U);
    EXPECT_EQ(waiting->interface_octets.back().protocol, 0);
}

TEST(AtrTest, CheckOctet) {
    EXPECT_EQ(parse("3b9f96801f878031e073fe211b674a4c753034054ba8")->check, Atr::Check::Wrong);
    EXPECT_EQ(parse("3b9f96801f878031e073fe211b674a4c753034054b")->check, Atr::Check::Missing);
    EXPECT_EQ(parse("3b8000")->check, Atr::Check::NotWanted);
    EXPECT_EQ(parse("3b800181")->check, Atr::Check::Right);
    EXPECT_EQ(parse("3b800180")->check, Atr::Check::Wrong);
    EXPECT_EQ(parse("3b8001")->check, Atr::Check::Missing);
    EXPECT_EQ(parse("3b80800101")->check, Atr::Check::Right);
}

struct CapabilityCase {
    const char* historical;
    bool there;
    unsigned channels;
    bool chaining;
    bool extended;
};

TEST(AtrTest, CapabilitiesInCompactTlv) {
    for (const auto& sample : {CapabilityCase{"8073be2113", true, 4, false, false},
                               CapabilityCase{"8071be", true, 1, false, false},
                               CapabilityCase{"8073be21d3", true, 4, true, true},
                               CapabilityCase{"8073be2117", true, 8, false, false},
                               CapabilityCase{"8073be2103", true, 1, false, false},
                               CapabilityCase{"803180", false, 0, false, false},
                               CapabilityCase{"80318073be2193", true, 4, true, false},
                               CapabilityCase{"0073be2113079000", true, 4, false, false},
                               CapabilityCase{"10", false, 0, false, false},
                               CapabilityCase{"8073be21", false, 0, false, false},
                               CapabilityCase{"8074be211300", false, 0, false, false},
                               CapabilityCase{"8070", false, 0, false, false},
                               CapabilityCase{"c073be2113", false, 0, false, false},
                               CapabilityCase{"00", false, 0, false, false}}) {
        auto octets = *from_hex("3b00");
        const auto historical = *from_hex(sample.historical);
        octets[1] = static_cast<std::uint8_t>(historical.size());
        append(octets, historical);
        const auto atr = parse_atr(octets);
        ASSERT_TRUE(atr) << sample.historical;
        ASSERT_EQ(atr->capabilities.has_value(), sample.there) << sample.historical;
        if (sample.there) {
            EXPECT_EQ(atr->capabilities->logical_channels, sample.channels) << sample.historical;
            EXPECT_EQ(atr->capabilities->command_chaining, sample.chaining) << sample.historical;
            EXPECT_EQ(atr->capabilities->extended_length, sample.extended) << sample.historical;
        }
    }
}

} // namespace
} // namespace mtkey::uicc
