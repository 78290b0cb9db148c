// SPDX-License-Identifier: Apache-2.0
#include "kdf/kdf.hpp"

#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

namespace mtkey::kdf {
namespace {

using vectors::text_of;

constexpr std::array<std::uint8_t, 1> kNine{0x09};

// Source: python3: hmac.new(b"key", bytes([1]) + b"abc" + b"\0\3" + b"\0\0" + b"\x09" + b"\0\1",
// "sha256").hexdigest()
TEST(Kdf, AnEmptyParameterKeepsItsLengthField) {
    const auto key = derive(as_octets("key"), 0x01, {as_octets("abc"), ByteView(), kNine});
    ASSERT_TRUE(key);
    EXPECT_EQ(text_of(*key), "a8e8d70cdeb33e0de2982380a074363fbe2f53d968c48fd57a195170d4edc97f");
    const auto without = derive(as_octets("key"), 0x01, {as_octets("abc"), kNine});
    ASSERT_TRUE(without);
    EXPECT_FALSE(*key == *without);
}

// Source: python3: hmac.new(b"key", bytes([255, 2]) + b"p" + b"\0\1", "sha256").hexdigest()
TEST(Kdf, TakesAFunctionCodeOfTwoOctets) {
    const std::array<std::uint8_t, 2> fc{0xFF, 0x02};
    const std::array<ByteView, 1> parameters{as_octets("p")};
    const auto key = derive(as_octets("key"), fc, parameters);
    ASSERT_TRUE(key);
    EXPECT_EQ(text_of(*key), "1a4d1229dec38614ee81368d8f8d3cdc693a3aaeade53c107fdb12060600a4bf");
}

TEST(Kdf, RefusesOtherFunctionCodes) {
    for (const Bytes& fc : {Bytes{}, Bytes{0xFF}, Bytes{0x01, 0x02}, Bytes{0xFF, 0x01, 0x02}}) {
        const auto key = derive(as_octets("key"), ByteView(fc), std::span<const ByteView>());
        ASSERT_FALSE(key) << to_hex(fc);
        EXPECT_EQ(key.error().code, Errc::InvalidArgument);
    }
}

TEST(Kdf, RefusesWhatItsLengthFieldCannotSay) {
    const Bytes longest(0xFFFF, 0x61);
    EXPECT_TRUE(derive(as_octets("key"), 0x01, {longest}));
    const Bytes longer(0x10000, 0x61);
    const auto key = derive(as_octets("key"), 0x01, {longer});
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, Errc::InvalidArgument);
}

TEST(Kdf, TakesUpToSixteenParameters) {
    const std::vector<ByteView> parameters(17, as_octets("p"));
    const std::array<std::uint8_t, 1> fc{0x01};
    EXPECT_TRUE(derive(as_octets("key"), fc, std::span(parameters).first(16)));
    EXPECT_FALSE(derive(as_octets("key"), fc, parameters));
}

// TS 33.220 annex I; the 2G rows put a variable P0 first.
TEST(Kdf, GivesTheValuesOf2gGba) {
    const auto example = vectors::load("worked_example.json")["gba_2g"];
    const Bytes key = vectors::hex(example["key"]);
    const Bytes sres = vectors::hex(example["sres"]);
    const Bytes ks_input = vectors::hex(example["ks_input"]);
    const auto res = derive(key, 0x01, {as_octets("3gpp-gba-res"), sres});
    const auto ks = derive(key, 0x01, {ks_input, as_octets("3gpp-gba-ks"), sres});
    ASSERT_TRUE(res && ks);
    EXPECT_EQ(to_hex(res->reveal().first<16>()), example["res"]);
    EXPECT_EQ(text_of(*ks), example["ks"]);
}

// Source: python3: hmac.new(ks_local_mt, b"mtkey fingerprint", "sha256").digest()[:8].hex()
TEST(Kdf, FingerprintIsTheHeadOfAnHmac) {
    const auto key =
        vectors::secret<32>(vectors::load("worked_example.json")["ks_local_mt"]["value"]);
    EXPECT_EQ(to_hex(fingerprint(key.reveal())), "e5f7be854c9f10dc");
}

} // namespace
} // namespace mtkey::kdf
