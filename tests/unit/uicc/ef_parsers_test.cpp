// SPDX-License-Identifier: Apache-2.0
// Samples marked "pySim" are test data of osmocom pySim, recorded from real cards; those marked
// "clause" are the examples of the standard; the rest is made here to be wrong.
#include "uicc/ef_parsers.hpp"

#include "base/encoding.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

Bytes octets(const std::string& hex) {
    return *from_hex(hex);
}
template <typename T>
void expect_malformed(const Result<T>& result, const std::string& sample) {
    ASSERT_FALSE(result) << sample;
    EXPECT_EQ(result.error().code, Errc::Malformed) << sample;
}

TEST(DirRecordTest, UsimOfARealCard) { // pySim
    const auto entry = parse_dir_record(octets("61294f10a0000000871002ffffffff8907090000"
                                               "50055553696d31730ea00c80011781025f608203454150"));
    ASSERT_TRUE(entry && *entry);
    EXPECT_EQ((*entry)->kind, DirEntry::Kind::Usim);
    EXPECT_EQ(to_hex((*entry)->aid), "a0000000871002ffffffff8907090000");
    EXPECT_EQ((*entry)->label, "USim1");
}

TEST(DirRecordTest, IsimOfARealCardWithPadding) { // pySim
    const auto entry = parse_dir_record(
        octets("61194f10a0000000871004ffffffff890709000050054953696d31ffffffffffffffff"));
    ASSERT_TRUE(entry && *entry);
    EXPECT_EQ((*entry)->kind, DirEntry::Kind::Isim);
    EXPECT_EQ((*entry)->label, "ISim1");
}

TEST(DirRecordTest, KindNeedsTheWholeApplicationCode) {
    const auto kind = [](const std::string& aid) {
        Bytes record = octets("61004f00");
        const auto aid_octets = octets(aid);
        record[1] = static_cast<std::uint8_t>(aid_octets.size() + 2);
        record[3] = static_cast<std::uint8_t>(aid_octets.size());
        append(record, aid_octets);
        const auto entry = parse_dir_record(record);
        EXPECT_TRUE(entry && *entry) << aid;
        return entry && *entry ? (*entry)->kind : DirEntry::Kind::Other;
    };
    EXPECT_EQ(kind("a0000000871002"), DirEntry::Kind::Usim);
    EXPECT_EQ(kind("a00000008710"), DirEntry::Kind::Other);
    EXPECT_EQ(kind("a0000000871005"), DirEntry::Kind::Other);
    EXPECT_EQ(kind("a000000009000102"), DirEntry::Kind::Other);
}

TEST(DirRecordTest, UnusedRecords) {
    for (const auto* sample : {"ffffffffff", "", "0000000000", "ff"}) {
        const auto entry = parse_dir_record(octets(sample));
        ASSERT_TRUE(entry) << sample;
        EXPECT_FALSE(*entry) << sample;
    }
}

TEST(DirRecordTest, HostileRecords) {
    for (const auto* sample :
         {"6100", "610400aabbcc", "61024f00", "61064f04a0000000", "6129", "61054f05a000",
          "61134f11a0000000871002ffffffff8907090000aa", "61820100", "614f"}) {
        expect_malformed(parse_dir_record(octets(sample)), sample);
    }
}

TEST(IccidTest, Digits) {
    EXPECT_EQ(*parse_iccid(octets("981062230000000010f0")), "8901263200000000010");  // 19 digits
    EXPECT_EQ(*parse_iccid(octets("98109909002143658739")), "89019990001234567893"); // 20 digits
    EXPECT_EQ(*parse_iccid(octets("9868000a2143658719fa")), "898600A0123456789"
                                                            "1A"); // digits above 9 of some issuers
    EXPECT_EQ(*parse_iccid(octets("98109909002143658739aabb")),
              "89019990001234567893"); // longer file
}

TEST(IccidTest, Empty) {
    for (const auto* sample : {"", "ffffffffffffffffffff", "98f0", "981062"}) {
        expect_malformed(parse_iccid(octets(sample)), sample);
    }
}

TEST(ImsiTest, Digits) {
    EXPECT_EQ(*parse_imsi(octets("080910101032547698")), "001010123456789");
    EXPECT_EQ(*parse_imsi(octets("0801101032547698f0")),
              "00101234567890"); // even: the last half octet is filled
    EXPECT_EQ(*parse_imsi(octets("0439010121ffffffff")),
              "3101012"); // short, rest of the file unused
    EXPECT_EQ(*parse_imsi(octets("080910101032547698aa")), "001010123456789");
}

TEST(ImsiTest, Hostile) {
    for (const auto* sample :
         {"", "00", "ffffffffffffffffff", "09091010103254769812", "0809101010325476", // length
          "080a10101032547698",                                                       // type
          "08091010103254769a", "08f910101032547698",                                 // digits
          "08011010325476980f",
          "080110103254769810", // parity
          "0209f1", "020910", "0101"}) {
        expect_malformed(parse_imsi(octets(sample)), sample);
    }
}

TEST(MncLengthTest, EfAd) {
    EXPECT_EQ(parse_mnc_length(octets("00000002")), 2U); // pySim
    EXPECT_EQ(parse_mnc_length(octets("00000003")), 3U);
    EXPECT_EQ(parse_mnc_length(octets("810000f2aabb")), 2U);
    for (const auto* sample :
         {"", "000000", "00000000", "00000001", "00000004", "0000000f", "ffffffff"}) {
        EXPECT_FALSE(parse_mnc_length(octets(sample))) << sample;
    }
}

TEST(MncLengthTest, Countries) {
    // ITU-T E.212; those of AOSP's MccTable.java among them.
    for (const auto* imsi :
         {"310260123456789", "302720123456789", "316010123456789", "334020123456789",
          "338050123456", "342600123456789", "344920123456789", "346140123456789",
          "348170123456789", "352030123456", "365840123456789", "708001123456789",
          "722310123456789", "732101123456789"}) {
        EXPECT_EQ(mnc_length_of_country(imsi), 3U) << imsi;
    }
    for (const auto* imsi : {"262031234567890", "001010123456789", "405750123456789", "", "31"}) {
        EXPECT_FALSE(mnc_length_of_country(imsi)) << imsi;
    }
}

TEST(ImsNameTest, ImpiAndDomain) {
    // TS 31.103 clause 4.2.2; the name as in pySim's test data.
    EXPECT_EQ(*parse_ims_name(octets("800b7573657240692e7465737400ff")), "user@i.test");
    EXPECT_EQ(*parse_ims_name(octets("8006692e74657374ffffffff")), "i.test");
    for (const auto* sample : {"", "ffff", "8000", "8005692e74", "8102616200", "80036120ff",
                               "800361ff62", "8081", "80840000000161", "8001c3"}) {
        expect_malformed(parse_ims_name(octets(sample)), sample);
    }
}

TEST(ServiceTest, BitsCountFromOne) {
    const auto table = octets("8001"); // services 8 and 9
    for (unsigned service = 0; service < 40; ++service) {
        EXPECT_EQ(service_available(table, service), service == 8 || service == 9) << service;
    }
    // TS 31.102 clause 4.2.8: 68 is octet 9 mask 08, 76 is octet 10 mask 08.
    const auto gba = octets("00000000000000000808");
    EXPECT_TRUE(service_available(gba, 68));
    EXPECT_TRUE(service_available(gba, 76));
    EXPECT_FALSE(service_available(gba, 67));
    EXPECT_FALSE(service_available(gba, 69));
    EXPECT_FALSE(service_available({}, 1));
    EXPECT_FALSE(service_available(gba, 0xFFFFFFFF));
}

TEST(NafkcaTest, RealRecords) { // pySim
    const auto first =
        parse_nafkca_record(octets("80296273662e696d732e6d6e633030302e6d63633733382e7075622e3367707"
                                   "06e6574776f726b2e6f7267ffffffffffff"));
    ASSERT_TRUE(first && *first);
    EXPECT_EQ(**first, "bsf.ims.mnc000.mcc738.pub.3gppnetwork.org");
    const auto second = parse_nafkca_record(
        octets("8030656e65746e61667830312e696d732e6d6e633030302e6d63633733382e7075622e"
               "336770706e6574776f726b2e6f7267"));
    ASSERT_TRUE(second && *second);
    EXPECT_EQ(**second, "enetnafx01.ims.mnc000.mcc738.pub.3gppnetwork.org");
}

TEST(NafkcaTest, UnusedRecords) {
    for (const auto* sample : {"", "ffffffff", "00000000", "8000ffff"}) {
        const auto record = parse_nafkca_record(octets(sample));
        ASSERT_TRUE(record) << sample;
        EXPECT_FALSE(*record) << sample;
    }
}

TEST(NafkcaTest, HostileRecords) {
    for (const auto* sample :
         {"8005612e62", "80", "8080", "81016180", "810161", "80036100ff", "8003612f62",
          "80050d0a2e6263", "80022e61", "8004612e2e62", "8002c3a4"}) {
        expect_malformed(parse_nafkca_record(octets(sample)), sample);
    }
    Bytes longest = octets("8081fd");
    longest.resize(3 + 253, 'a');
    EXPECT_TRUE(parse_nafkca_record(longest));
    Bytes too_long = octets("8081fe");
    too_long.resize(3 + 254, 'a');
    expect_malformed(parse_nafkca_record(too_long), "254 octets");
}

} // namespace
} // namespace mtkey::uicc
