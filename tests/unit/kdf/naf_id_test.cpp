// SPDX-License-Identifier: Apache-2.0
#include "kdf/naf_id.hpp"

#include "base/encoding.hpp"

#include <gtest/gtest.h>

namespace mtkey::kdf {
namespace {

std::string repeated(std::string_view text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) {
        out += text;
    }
    return out;
}

TEST(NafIdTest, CanonicalFqdn) {
    const std::string label63(63, 'a');
    // 250 octets: four times "aaa...(61 octets)." and two more
    const std::string longest = repeated(std::string(61, 'b') + ".", 4) + "cc";
    ASSERT_EQ(longest.size(), 250u);
    const std::vector<std::pair<std::string, std::string>> good{
        {"nafkc.mnc001.mcc001.pub.3gppnetwork.org", "nafkc.mnc001.mcc001.pub.3gppnetwork.org"},
        {"NAF.Example.COM", "naf.example.com"},
        {"naf.example.com.", "naf.example.com"},
        {"a.b", "a.b"},
        {"1.2.3.x4", "1.2.3.x4"},
        {"xn--bcher-kva.example", "xn--bcher-kva.example"},
        {label63 + ".org", label63 + ".org"},
        {longest, longest},
        {longest + ".", longest},
    };
    for (const auto& [text, expected] : good) {
        const auto fqdn = canonical_fqdn(text);
        ASSERT_TRUE(fqdn) << text;
        EXPECT_EQ(*fqdn, expected);
    }
    const std::vector<std::string> bad{"",
                                       ".",
                                       "..",
                                       "org",
                                       "naf..org",
                                       ".naf.org",
                                       "naf.org..",
                                       "naf.org:443",
                                       "naf_kc.org",
                                       "-naf.org",
                                       "naf-.org",
                                       "naf.org ",
                                       " naf.org",
                                       "naf.\norg",
                                       std::string("naf\0.org", 8),
                                       "n\xC3\xA4"
                                       "f.org",
                                       "192.0.2.1",
                                       "[::1]",
                                       "http://naf.org",
                                       "naf.org/x",
                                       "*.naf.org",
                                       std::string(64, 'a') + ".org",
                                       longest + "d",
                                       longest + "d.",
                                       std::string(100000, 'a')};
    for (const auto& text : bad) {
        const auto fqdn = canonical_fqdn(text);
        ASSERT_FALSE(fqdn) << text;
        EXPECT_EQ(fqdn.error().code, Errc::Malformed);
        EXPECT_LT(fqdn.error().context.size(), 400u);
    }
}

TEST(NafIdTest, UaIdentifier) {
    ASSERT_TRUE(parse_ua_id("ff00033259"));
    EXPECT_EQ(*parse_ua_id("FF00033259"), kDefaultUaId);
    EXPECT_TRUE(parse_ua_id("0000000000"));
    EXPECT_TRUE(parse_ua_id("0100000002"));
    for (const auto* text : {"", "ff000332", "ff0003325", "ff000332590", "ff00033259ff",
                             "ff0003325g", "0000000001", "0001000000", "ff 0033259"}) {
        EXPECT_FALSE(parse_ua_id(text)) << text;
    }
}

TEST(NafIdTest, FromPeerOctets) {
    const auto id = make_naf_id("NAF.example.com", kDefaultUaId);
    ASSERT_TRUE(id);
    EXPECT_EQ(id->text(), "naf.example.com/ff00033259");
    EXPECT_EQ(to_hex(id->octets()), to_hex(as_octets("naf.example.com")) + "ff00033259");
    EXPECT_FALSE(make_naf_id("naf", kDefaultUaId));
    EXPECT_FALSE(make_naf_id("naf.example.com", ByteView(kDefaultUaId).first(4)));
    EXPECT_FALSE(make_naf_id("naf.example.com", Bytes(6, 0xFF)));
    EXPECT_FALSE(make_naf_id("naf.example.com", Bytes(70000, 0xFF)));
    EXPECT_FALSE(make_naf_id("naf.example.com", Bytes{0, 0, 0, 0, 1}));
}

} // namespace
} // namespace mtkey::kdf
