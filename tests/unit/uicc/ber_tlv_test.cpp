// SPDX-License-Identifier: Apache-2.0
#include "uicc/ber_tlv.hpp"

#include "base/encoding.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

/// All objects as "tag:value", then "!" when the end was an Error.
std::string read_all(const std::string& hex) {
    const auto octets = *from_hex(hex);
    TlvReader reader(octets);
    std::string out;
    while (true) {
        const auto object = reader.next();
        if (!object) {
            EXPECT_EQ(object.error().code, Errc::Malformed);
            // It stays at its end: no second Error, no octets read again.
            const auto after = reader.next();
            EXPECT_TRUE(after && !*after);
            return out + "!";
        }
        if (!*object) {
            return out;
        }
        const std::uint32_t tag = (*object)->tag;
        Bytes tag_octets;
        for (int shift = tag > 0xFFFF ? 16 : tag > 0xFF ? 8 : 0; shift >= 0; shift -= 8) {
            tag_octets.push_back(static_cast<std::uint8_t>(tag >> shift & 0xFF));
        }
        out += to_hex(tag_octets) + ":" + to_hex((*object)->value) + " ";
    }
}

struct Case {
    const char* octets;
    const char* objects;
};

class BerTlv : public testing::TestWithParam<Case> {};

TEST_P(BerTlv, IsReadAsFarAsItGoes) {
    EXPECT_EQ(read_all(GetParam().octets), GetParam().objects);
}

INSTANTIATE_TEST_SUITE_P(
    Good, BerTlv,
    testing::Values(Case{"", ""}, Case{"8000", "80: "}, Case{"8002aabb", "80:aabb "},
                    Case{"8001aa8101bb", "80:aa 81:bb "}, Case{"808101aa", "80:aa "},
                    Case{"80820001aa", "80:aa "}, Case{"9f7001aa", "9f70:aa "},
                    Case{"9f818001aa", "!"}, Case{"9f810101aa", "9f8101:aa "},
                    Case{"8001aaffffff", "80:aa "}, Case{"ffff", ""},
                    Case{"00008001aa00008101bb00", "80:aa 81:bb "}, Case{"000000", ""}));

INSTANTIATE_TEST_SUITE_P(Hostile, BerTlv,
                         testing::Values(Case{"80", "!"}, Case{"8001", "!"}, Case{"8002aa", "!"},
                                         Case{"8080aa0000", "!"}, Case{"8081", "!"},
                                         Case{"8082", "!"}, Case{"808200", "!"},
                                         Case{"8082ffffaa", "!"}, Case{"8083000001aa", "!"},
                                         Case{"8084ffffffffaa", "!"}, Case{"80ffaa", "!"},
                                         Case{"9f", "!"}, Case{"9f81", "!"}, Case{"9f8181", "!"},
                                         Case{"9f818101aa", "!"}, Case{"8001aa8105bb", "80:aa !"}));

TEST(BerTlvTest, FindsTheFirstOfItsTag) {
    const auto octets = *from_hex("8001aa8101bb8101cc");
    const auto found = find_tlv(octets, 0x81);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ(to_hex(**found), "bb");
    const auto missing = find_tlv(octets, 0x82);
    ASSERT_TRUE(missing);
    EXPECT_FALSE(*missing);
    // What stands behind the object is not its business.
    const auto broken_behind = *from_hex("8001aa8105");
    EXPECT_TRUE(find_tlv(broken_behind, 0x80));
    EXPECT_FALSE(find_tlv(broken_behind, 0x81));
}

TEST(BerTlvTest, AppendedObjectsAreReadBack) {
    for (const std::size_t size : {0U, 1U, 0x7FU, 0x80U, 0xFFU, 0x100U, 0x1234U, 0xFFFFU}) {
        for (const std::uint32_t tag : {0x80U, 0x62U, 0x9F70U, 0x9F8101U}) {
            const Bytes value(size, 0x5A);
            Bytes out;
            append_tlv(out, tag, value);
            const auto found = find_tlv(out, tag);
            ASSERT_TRUE(found && *found) << size;
            EXPECT_EQ(Bytes((*found)->begin(), (*found)->end()), value);
        }
    }
}

} // namespace
} // namespace mtkey::uicc
