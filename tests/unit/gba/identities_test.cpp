// SPDX-License-Identifier: Apache-2.0
#include "gba/identities.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

namespace mtkey::gba {
namespace {

TEST(Identities, WorkedExample) {
    const auto json = vectors::load("worked_example.json")["identities"];
    const auto imsi = std::string(json["imsi"]);
    constexpr unsigned mnc_length = 2;
    EXPECT_EQ(nlohmann::json(mnc_length), json["mnc_length"]);
    EXPECT_EQ(impi_from_imsi(imsi, mnc_length).value(), json["impi"]);
    EXPECT_EQ(bsf_fqdn_from_imsi(imsi, mnc_length).value(), json["bsf_fqdn"]);
}

TEST(Identities, ForeignImpis) {
    for (const auto& set : vectors::load("gba_kat.json")["sets"]) {
        EXPECT_EQ(impi_from_imsi(std::string(set["imsi"]), 2).value(), set["impi"]);
    }
}

TEST(Identities, ThreeDigitMncIsTakenWhole) {
    EXPECT_EQ(impi_from_imsi("310410123456789", 3).value(),
              "310410123456789@ims.mnc410.mcc310.3gppnetwork.org");
    EXPECT_EQ(bsf_fqdn_from_imsi("310410123456789", 3).value(),
              "bsf.mnc410.mcc310.pub.3gppnetwork.org");
    EXPECT_EQ(bsf_fqdn_from_imsi("310410123456789", 2).value(),
              "bsf.mnc041.mcc310.pub.3gppnetwork.org");
}

TEST(Identities, ShortestAndLongest) {
    EXPECT_TRUE(impi_from_imsi("001010", 3));
    EXPECT_TRUE(impi_from_imsi("001010123456789", 2));
}

// TS 23.003 clause 16.2; the form of the first is that of a real card's EF_NAFKCA.
TEST(Identities, BsfOfAnImpi) {
    EXPECT_EQ(bsf_fqdn_from_impi("user@ims.mnc015.mcc234.3gppnetwork.org").value(),
              "bsf.ims.mnc015.mcc234.pub.3gppnetwork.org");
    EXPECT_EQ(bsf_fqdn_from_impi("user@operator.com").value(), "bsf.operator.com");
    EXPECT_EQ(bsf_fqdn_from_impi("user@IMS.Example.ORG.").value(), "bsf.ims.example.org");
    EXPECT_EQ(bsf_fqdn_from_impi("user@x.pub.3gppnetwork.org").value(),
              "bsf.x.pub.3gppnetwork.org");
    EXPECT_EQ(bsf_fqdn_from_impi("user@my3gppnetwork.org").value(), "bsf.my3gppnetwork.org");
    for (const char* none : {"", "user", "user@", "@", "user@a b.example", "user@-.example"}) {
        EXPECT_EQ(bsf_fqdn_from_impi(none).error().code, Errc::InvalidArgument) << none;
    }
}

TEST(Identities, Refused) {
    struct Row {
        const char* imsi;
        unsigned mnc_length;
    };
    for (const auto& row :
         {Row{"", 2}, Row{"00101", 2}, Row{"0010101234567890", 2}, Row{"00101012345678a", 2},
          Row{"00101 123456789", 2}, Row{"001010123456789", 0}, Row{"001010123456789", 1},
          Row{"001010123456789", 4}}) {
        EXPECT_EQ(impi_from_imsi(row.imsi, row.mnc_length).error().code, Errc::InvalidArgument);
        EXPECT_EQ(bsf_fqdn_from_imsi(row.imsi, row.mnc_length).error().code, Errc::InvalidArgument);
    }
}

} // namespace
} // namespace mtkey::gba
