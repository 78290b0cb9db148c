// SPDX-License-Identifier: Apache-2.0
#include "nafkc_fixture.hpp"

namespace mtkey::nafkc {
namespace {

Result<BootstrappingInfo> taken(std::string text) {
    return take_retrieved(text);
}

TEST(ZnRetrieval, ReadsAnAnswer) {
    std::string text = bsf_answer("2026-01-02T00:00:00Z", "2026-01-01T00:00:00.123Z", true);
    const auto info = take_retrieved(text);
    ASSERT_TRUE(info) << describe(info.error());
    EXPECT_EQ(to_hex(info->ks_naf.reveal()), kKsExtNaf);
    EXPECT_TRUE(info->has_uicc_key);
    EXPECT_EQ(info->expires, utc("2026-01-02T00:00:00Z"));
    EXPECT_EQ(info->created, utc("2026-01-01T00:00:00Z"));
    EXPECT_EQ(info->impi, kImpi);
    // The keys have left the text.
    EXPECT_EQ(text.find(kKsExtNaf.substr(0, 16)), std::string::npos);
    EXPECT_EQ(text.find(kKsIntNaf.substr(48)), std::string::npos);
}

TEST(ZnRetrieval, KeysLeaveTheTextWhateverItSays) {
    for (const auto& before :
         {std::string("{"), std::string("["), std::string("{\"x\":"), std::string("nonsense ")}) {
        std::string text =
            before + "\"" + kKsExtNaf + "\"" + std::string(20'000, ' ') + ",\"" + kKsIntNaf + "\"";
        EXPECT_FALSE(take_retrieved(text));
        EXPECT_EQ(text.find(kKsExtNaf), std::string::npos);
        EXPECT_EQ(text.find(kKsIntNaf), std::string::npos);
    }
    std::string many = "[";
    for (int i = 0; i < 20; ++i) {
        many += "\"" + kKsExtNaf + "\",";
    }
    EXPECT_FALSE(take_retrieved(many));
    EXPECT_EQ(many.find(kKsExtNaf), std::string::npos);
}

TEST(ZnRetrieval, TakesOtherSpellings) {
    std::string upper = kKsExtNaf;
    for (auto& c : upper) {
        c = static_cast<char>(std::toupper(c));
    }
    const auto info = taken(" {\n \"impi\" : \"a@b\", \"new\": {\"x\": [1, 2]}, \"ussList\": [], "
                            "\"meKeyMaterial\" : \"" +
                            upper + "\",\n\"keyExpiryTime\":\"2026-01-02T00:00:00Z\" } ");
    ASSERT_TRUE(info) << describe(info.error());
    EXPECT_EQ(to_hex(info->ks_naf.reveal()), kKsExtNaf);
    EXPECT_FALSE(info->has_uicc_key);
    EXPECT_FALSE(info->created);
}

TEST(ZnRetrieval, TwoKeysAreNotMixedUp) {
    const auto order = [](const std::string& first, const std::string& second) {
        return R"({"other":")" + kKsLocalMt + R"(",")" + first + R"(":")" + kKsExtNaf + R"(",")" +
               second + R"(":")" + kKsIntNaf +
               R"(","impi":"a@b","keyExpiryTime":"2026-01-02T00:00:00Z"})";
    };
    EXPECT_EQ(to_hex(taken(order("meKeyMaterial", "uiccKeyMaterial"))->ks_naf.reveal()), kKsExtNaf);
    EXPECT_EQ(to_hex(taken(order("uiccKeyMaterial", "meKeyMaterial"))->ks_naf.reveal()), kKsIntNaf);
}

TEST(ZnRetrieval, RefusesTheRest) {
    const auto with = [](const std::string& from, const std::string& to) {
        auto text = bsf_answer("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", true);
        return text.replace(text.find(from), from.size(), to);
    };
    ASSERT_TRUE(taken(with("gbaType", "gbaType")));
    EXPECT_FALSE(taken(with("gbaType", "gbaType"))->gba_2g);
    EXPECT_TRUE(taken(with("3G_GBA", "2G_GBA"))->gba_2g);
    std::string deep;
    for (int i = 0; i < 100; ++i) {
        deep += "[";
    }
    std::string many;
    for (int i = 0; i < 8; ++i) {
        many += "\"x" + std::to_string(i) + "\":\"" + kKsLocalMt + "\",";
    }
    const std::vector<std::string> rows{
        with("\"gbaType\"", many + "\"gbaType\""),
        "",
        "null",
        "[]",
        "\"x\"",
        "{",
        "{}",
        bsf_answer() + "x",
        bsf_answer() + bsf_answer(),
        deep,
        std::string(17 * 1024, ' ') + bsf_answer(),
        with("meKeyMaterial", "MeKeyMaterial"),
        with("\"meKeyMaterial\"", "\"uiccKeyMaterial\":\"x\",\"meKeyMaterial\""),
        with("\"meKeyMaterial\"", "\"impi\":\"x@y\",\"meKeyMaterial\""),
        with(kKsExtNaf, kKsExtNaf.substr(1)),
        with(kKsExtNaf, kKsExtNaf + "00"),
        with(kKsExtNaf, "g" + kKsExtNaf.substr(1)),
        with("\"" + kKsExtNaf + "\"", "1"),
        with("\"" + kKsExtNaf + "\"", "null"),
        with("\"" + kKsExtNaf + "\"", "[\"" + kKsExtNaf + "\"]"),
        with(kKsExtNaf, "\\u0037" + kKsExtNaf.substr(1)),
        with(kKsIntNaf, "00"),
        with("\"" + kKsIntNaf + "\"", "true"),
        with("3G_GBA", "4G_GBA"),
        with("3G_GBA", "GBA_DIGEST"),
        with("\"3G_GBA\"", "3"),
        with("2026-01-02T00:00:00Z", "2026-01-02T00:00:00+02:00"),
        with("2026-01-02T00:00:00Z", "2026-01-02"),
        with("2026-01-01T00:00:00Z", "now"),
        with("\"2026-01-02T00:00:00Z\"", "1767312000"),
        with("impi", "Impi"),
        with(kImpi, ""),
        with(kImpi, std::string(256, 'x')),
        with("\"" + kImpi + "\"", "7"),
        with("3G_GBA", "\xFF"),
        R"({"meKeyMaterial":")" + kKsExtNaf + R"(","impi":"a@b"})",
    };
    for (const auto& row : rows) {
        const auto info = taken(row);
        ASSERT_FALSE(info) << row.substr(0, 300);
        EXPECT_EQ(info.error().code, Errc::Malformed);
        EXPECT_EQ(info.error().context.find(kKsExtNaf.substr(2, 16)), std::string::npos);
    }
}

} // namespace
} // namespace mtkey::nafkc
