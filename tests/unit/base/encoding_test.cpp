// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.hpp"

#include <gtest/gtest.h>

namespace mtkey {
namespace {

// RFC 4648 section 10.
const std::pair<const char*, const char*> kBase64[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

TEST(Base64, VectorsOfRfc4648) {
    for (const auto& [plain, coded] : kBase64) {
        EXPECT_EQ(to_base64(as_octets(plain)), coded);
        const auto decoded = from_base64(coded);
        ASSERT_TRUE(decoded) << coded;
        EXPECT_EQ(as_text(*decoded), plain);
    }
}

TEST(Base64, AllOctetsRoundTrip) {
    Bytes all;
    for (int i = 0; i < 256; ++i) {
        all.push_back(static_cast<std::uint8_t>(i));
        EXPECT_EQ(from_base64(to_base64(all)), all);
    }
}

TEST(Base64, RefusesWhatIsNotCanonical) {
    for (const char* bad : {"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm9v\n", " Zm9v", "Zm-v",
                            "====", "Zg==Zg==", "=g==", "Zm9vYg=A"}) {
        EXPECT_FALSE(from_base64(bad)) << bad;
    }
}

TEST(Hex, RoundTripAndRefusals) {
    EXPECT_EQ(to_hex(Bytes{0x00, 0x9F, 0xFF}), "009fff");
    EXPECT_EQ(from_hex("009fFF"), (Bytes{0x00, 0x9F, 0xFF}));
    EXPECT_EQ(from_hex(""), Bytes{});
    for (const char* bad : {"0", "0g", "zz", "0x00", "00 1"}) {
        EXPECT_FALSE(from_hex(bad)) << bad;
        EXPECT_FALSE(secret_from_hex(bad)) << bad;
    }
}

} // namespace
} // namespace mtkey
