// SPDX-License-Identifier: Apache-2.0
#include "device/naf_choice.hpp"
#include "unit/device/fake_mt.hpp"

#include <gtest/gtest.h>

namespace mtkey::device {
namespace {

TEST(NafChoice, SuffixesCountAtLabelBoundariesOnly) {
    const std::vector<std::string> suffixes{"3gppnetwork.org", "kc.example.com"};
    for (const auto* good :
         {"3gppnetwork.org", "a.3gppnetwork.org", "a.b.3gppnetwork.org", "kc.example.com"}) {
        EXPECT_TRUE(fqdn_permitted(good, suffixes)) << good;
    }
    for (const auto* bad : {"evil3gppnetwork.org", "3gppnetwork.org.evil.com", "example.com",
                            "xkc.example.com", "org", "", ".3gppnetwork.org.", "3gppnetwork.com"}) {
        EXPECT_FALSE(fqdn_permitted(bad, suffixes)) << bad;
    }
    EXPECT_FALSE(fqdn_permitted("a.b", {}));
    EXPECT_FALSE(fqdn_permitted("a.b", {""}));
}

TEST(NafChoice, OneOperatorIsTheLongestSuffix) {
    const std::vector<std::string> suffixes{"org", "one.org", "", "two.one.org", "example.com"};
    const auto same = [&](std::string_view one, std::string_view other) {
        EXPECT_EQ(same_operator(one, other, suffixes), same_operator(other, one, suffixes));
        return same_operator(one, other, suffixes);
    };
    EXPECT_TRUE(same("a.one.org", "a.one.org"));
    EXPECT_TRUE(same("a.one.org", "one.org"));
    EXPECT_TRUE(same("a.org", "xone.org"));
    EXPECT_FALSE(same("a.one.org", "a.org"));
    EXPECT_FALSE(same("a.one.org", "two.one.org"));
    EXPECT_FALSE(same("a.one.org", "a.example.com"));
    EXPECT_FALSE(same("a.example.net", "a.one.org"));
    EXPECT_FALSE(same("a.example.net", "a.example.net")) << "allowed no more: of no operator";
}

TEST(NafChoice, PreferredThenFirstPermitted) {
    const std::vector<local::NafEntry> offered{
        naf_entry("a.evil.com"), naf_entry("b.3gppnetwork.org"), naf_entry("c.3gppnetwork.org")};
    const std::vector<std::string> suffixes{"3gppnetwork.org"};
    EXPECT_EQ(*choose_naf(offered, "", suffixes), &offered[1]);
    EXPECT_EQ(*choose_naf(offered, "c.3gppnetwork.org", suffixes), &offered[2]);
    EXPECT_EQ(*choose_naf(offered, "d.3gppnetwork.org", suffixes), &offered[1]);
    EXPECT_EQ(*choose_naf(offered, "a.evil.com", suffixes), &offered[1])
        << "a wish is no permission";
    const std::vector<local::NafEntry> unusable{
        naf_entry("b.3gppnetwork.org", "https://b.3gppnetwork.org/?q"),
        naf_entry("c.3gppnetwork.org")};
    EXPECT_EQ(*choose_naf(unusable, "b.3gppnetwork.org", suffixes), &unusable[1]);
    EXPECT_EQ(choose_naf(offered, "", {"other.org"}).error().code, Errc::NafNotAllowed);
    EXPECT_EQ(choose_naf({}, "", suffixes).error().code, Errc::NafNotAllowed);
}

} // namespace
} // namespace mtkey::device
