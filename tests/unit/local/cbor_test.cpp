// SPDX-License-Identifier: Apache-2.0
#include "local/cbor.hpp"

#include "samples.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace mtkey::local {
namespace {

using test::hex;

struct NumberRow {
    std::uint64_t value;
    const char* octets;
};

// RFC 8949 appendix A, the unsigned integers.
constexpr NumberRow kNumbers[] = {
    {0, "00"},
    {1, "01"},
    {10, "0a"},
    {23, "17"},
    {24, "1818"},
    {25, "1819"},
    {100, "1864"},
    {1000, "1903e8"},
    {1000000, "1a000f4240"},
    {1000000000000, "1b000000e8d4a51000"},
    {255, "18ff"},
    {256, "190100"},
    {65535, "19ffff"},
    {65536, "1a00010000"},
    {4294967295, "1affffffff"},
    {4294967296, "1b0000000100000000"},
    {std::numeric_limits<std::uint64_t>::max(), "1bffffffffffffffff"},
};

TEST(Cbor, NumbersOfRfc8949) {
    for (const auto& row : kNumbers) {
        CborWriter out;
        out.number(row.value);
        EXPECT_EQ(to_hex(out.take()), row.octets);
        const Bytes octets = hex(row.octets);
        CborReader reader(octets);
        EXPECT_EQ(reader.number().value(), row.value) << row.octets;
        EXPECT_TRUE(reader.end());
    }
}

TEST(Cbor, StringsAndArraysOfRfc8949) {
    CborWriter out;
    out.array(3);
    out.octets(hex("01020304"));
    out.text("IETF");
    out.text("\xc3\xbc");
    const Bytes octets = out.take();
    EXPECT_EQ(to_hex(octets), "83"
                              "4401020304"
                              "6449455446"
                              "62c3bc");
    CborReader reader(octets);
    EXPECT_EQ(reader.array().value(), 3U);
    EXPECT_EQ(to_hex(reader.octets().value()), "01020304");
    EXPECT_EQ(reader.text().value(), "IETF");
    EXPECT_EQ(reader.text().value(), "\xc3\xbc");
    EXPECT_TRUE(reader.end());
}

// One item of each kind that is refused, by whatever reads it: the caller who wants it and the one
// who passes over it.
constexpr const char* kRefused[] = {
    "", // nothing
    "1817",
    "190018",
    "1900ff",
    "1a0000ffff", // longer than needed
    "1b00000000ffffffff",
    "3817",
    "5801ff", //
    "780161",
    "9801a0",
    "b800", //
    "1c",
    "1d",
    "1e",
    "1f", // reserved, indefinite
    "5f4101ff",
    "7f6161ff",
    "9f01ff",
    "bf0101ff", //
    "ff",       // break
    "f4",
    "f5",
    "f6",
    "f7",
    "f93c00",
    "fa47c35000",
    "fb3ff199999999999a",
    "f818", // simple, floats
    "c074323031332d30332d32315432303a30343a30305a",
    "c11a514b67b0",
    "d81845644945", // tags
    "18",
    "19ff",
    "1a000000",
    "1b00000000000000", // cut off
    "41",
    "4201",
    "61",
    "626f",
    "81",
    "8201",
    "a1",
    "a101",
    "a20101", //
    "5bffffffffffffffff",
    "7bffffffffffffffff", // lengths that are lies
    "9bffffffffffffffff",
    "bbffffffffffffffff",
    "9b00000000ffffffff",
    "5a7fffffff", //
    "61ff",
    "6180",
    "62c328",
    "63e28028",
    "64f0908028", // not UTF-8
    "62c0af",
    "63e08080",
    "64f0808080",
    "63eda080",
    "64f4908080",
    "64f7bfbfbf", //
    "a201010100",
    "a202000100",
    "a120010",
    "a1610101",
    "a1f401",     // keys: twice, order, negative, text
    "8181818181", // nested
};

TEST(Cbor, RefusedByEveryReader) {
    for (const char* row : kRefused) {
        std::string text(row);
        if (text.size() % 2 != 0) {
            text.push_back('0');
        }
        const Bytes octets = hex(text);
        CborReader skipping(octets);
        const auto skipped = skipping.skip();
        EXPECT_TRUE(!skipped || !skipping.end()) << row;
        if (!skipped) {
            EXPECT_EQ(skipped.error().code, Errc::Malformed);
        }
        const auto refuses = [&](auto read) {
            CborReader reader(octets);
            auto result = read(reader);
            return !result || !reader.end() || (octets[0] >> 5) >= 4;
        };
        EXPECT_TRUE(refuses([](CborReader& r) { return r.number(); })) << row;
        EXPECT_TRUE(refuses([](CborReader& r) { return r.octets(); })) << row;
        EXPECT_TRUE(refuses([](CborReader& r) { return r.text(); })) << row;
    }
}

TEST(Cbor, SkipPassesOverWholeItems) {
    for (const char* row :
         {"00", "3903e7", "3bffffffffffffffff", "4401020304", "62c3bc", "80", "a0", "83010203",
          "a201020304", "818181a0", "a1018181a0", "82a1010280"}) {
        Bytes octets = hex(row);
        CborReader reader(octets);
        EXPECT_TRUE(reader.skip()) << row;
        EXPECT_TRUE(reader.end()) << row;
        octets.push_back(0);
        CborReader longer(octets);
        EXPECT_TRUE(longer.skip());
        EXPECT_FALSE(longer.end());
    }
}

TEST(Cbor, DeepNestingCostsNothing) {
    Bytes octets(1'000'000, 0x81);
    CborReader reader(octets);
    EXPECT_FALSE(reader.skip());
}

TEST(CborMap, KeysInTheirOrder) {
    const Bytes octets = hex("a3010203041864"
                             "05");
    CborReader reader(octets);
    CborMap map = CborMap::open(reader).value();
    EXPECT_TRUE(map.require(1));
    EXPECT_EQ(reader.number().value(), 2U);
    EXPECT_FALSE(map.find(2).value());
    EXPECT_TRUE(map.find(3).value());
    EXPECT_EQ(reader.number().value(), 4U);
    EXPECT_FALSE(map.close());
    EXPECT_FALSE(map.require(4));
    EXPECT_TRUE(map.find(100).value());
    EXPECT_EQ(reader.number().value(), 5U);
    EXPECT_TRUE(map.close());
    EXPECT_TRUE(reader.end());
}

TEST(CborMap, UnknownTwiceMissing) {
    for (const char* row : {"a20001"
                            "0102",
                            "a201020103", "a0", "a10202",
                            "a2020001"
                            "00"}) {
        const Bytes octets = hex(row);
        CborReader reader(octets);
        CborMap map = CborMap::open(reader).value();
        auto found = map.require(1);
        if (found) {
            static_cast<void>(reader.number());
            found = map.skip_others();
        }
        EXPECT_FALSE(found) << row;
    }
}

} // namespace
} // namespace mtkey::local
