// SPDX-License-Identifier: Apache-2.0
#include "keys/naf_list.hpp"

#include <gtest/gtest.h>

namespace mtkey::keys {
namespace {

NafEntry entry(const std::string& fqdn) {
    NafEntry out;
    out.naf_id.fqdn = fqdn;
    return out;
}

TEST(NafList, CardFirstThenConfiguration) {
    NafList list({entry("config.example.org"), entry("both.example.org")});
    list.set_from_uicc({"Card.Example.org", "both.example.org", "no-fqdn", "-bad.example.org", ""});
    ASSERT_EQ(list.entries().size(), 3U);
    EXPECT_EQ(list.entries()[0].naf_id.fqdn, "card.example.org");
    EXPECT_EQ(list.entries()[0].origin, NafOrigin::Uicc);
    EXPECT_EQ(list.entries()[0].naf_id.ua, kdf::kDefaultUaId);
    EXPECT_EQ(list.entries()[1].naf_id.fqdn, "both.example.org");
    EXPECT_EQ(list.entries()[2].naf_id.fqdn, "config.example.org");
    EXPECT_EQ(list.entries()[2].origin, NafOrigin::Configuration);
    list.set_from_uicc({});
    EXPECT_EQ(list.entries().size(), 2U);
}

TEST(NafList, CardGivesThePlaceAndTheConfigurationTheUri) {
    auto with_uri = entry("both.example.org");
    with_uri.key_center_uri = "https://both.example.org/keys";
    NafList list({entry("config.example.org"), with_uri});
    list.set_from_uicc({"card.example.org", "both.example.org"});
    ASSERT_EQ(list.entries().size(), 3U);
    EXPECT_EQ(list.entries()[1].naf_id.fqdn, "both.example.org");
    EXPECT_EQ(list.entries()[1].origin, NafOrigin::Uicc);
    EXPECT_EQ(list.entries()[1].key_center_uri, with_uri.key_center_uri);
    EXPECT_FALSE(list.entries()[0].key_center_uri);
}

TEST(NafList, SaysOnceWhatIsLeftOut) {
    std::vector<NafEntry> many;
    for (int i = 0; i < 8; ++i) {
        many.push_back(entry("n" + std::to_string(i) + ".example.org"));
    }
    NafList list(std::move(many));
    const std::vector<std::string> card{"card.example.org", "no-\nfqdn"};
    testing::internal::CaptureStderr();
    list.set_from_uicc(card);
    const auto said = testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("n7.example.org"), std::string::npos) << said;
    EXPECT_EQ(said.find("n6.example.org"), std::string::npos) << said;
    EXPECT_NE(said.find("no-"), std::string::npos) << said;
    testing::internal::CaptureStderr();
    list.set_from_uicc(card);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(NafList, AnotherUaIsAnotherNaf) {
    NafList list({entry("a.example.org")});
    EXPECT_TRUE(list.contains(entry("a.example.org").naf_id));
    auto other = entry("a.example.org").naf_id;
    other.ua = {1, 0, 0, 0, 2};
    EXPECT_FALSE(list.contains(other));
    EXPECT_FALSE(list.contains(entry("b.example.org").naf_id));
    EXPECT_FALSE(NafList().contains(other));
}

TEST(NafList, KeepsTheFirstEight) {
    std::vector<NafEntry> many;
    for (int i = 0; i < 20; ++i) {
        many.push_back(entry("n" + std::to_string(i) + ".example.org"));
    }
    NafList list(std::move(many));
    list.set_from_uicc({"card.example.org"});
    ASSERT_EQ(list.entries().size(), kMostNafs);
    EXPECT_EQ(list.entries().front().naf_id.fqdn, "card.example.org");
    EXPECT_EQ(list.entries().back().naf_id.fqdn, "n6.example.org");
}

} // namespace
} // namespace mtkey::keys
