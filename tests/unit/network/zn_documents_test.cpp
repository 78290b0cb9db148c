// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/zn_documents.hpp"

#include "base/encoding.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace mtkey::bsf {
namespace {

using Json = nlohmann::json;

const std::string kGood =
    R"({"btId":"I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org",)"
    R"("nafId":{"nafFqdn":"nafkc.mnc001.mcc001.pub.3gppnetwork.org",)"
    R"("uaSecProtId":"ff00033259"},"gbaUAware":true,"gsIds":[0,4294967295]})";

TEST(ZnDocuments, Request) {
    const auto parsed = parse_bootstrapping_info_request(kGood);
    ASSERT_TRUE(parsed) << describe(parsed.error());
    EXPECT_EQ(parsed->b_tid, "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org");
    EXPECT_EQ(parsed->naf_id.text(), "nafkc.mnc001.mcc001.pub.3gppnetwork.org/ff00033259");
    EXPECT_TRUE(parsed->gba_u_aware);
}

TEST(ZnDocuments, OptionalMembersAndCase) {
    const auto parsed = parse_bootstrapping_info_request(
        R"({"x":[{}],"btId":"b","nafId":{"nafFqdn":"NAF.Example.org","uaSecProtId":"FF00033259","y":1}})");
    ASSERT_TRUE(parsed) << describe(parsed.error());
    EXPECT_EQ(parsed->naf_id.text(), "naf.example.org/ff00033259");
    EXPECT_FALSE(parsed->gba_u_aware);
}

std::string nested(int depth) {
    return R"({"btId":"b","nafId":{"nafFqdn":"naf.example.org","uaSecProtId":"ff00033259"},"x":)" +
           std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']') + "}";
}

TEST(ZnDocuments, HostileRequests) {
    const auto replaced = [](const std::string& what, const std::string& by) {
        auto text = kGood;
        text.replace(text.find(what), what.size(), by);
        return text;
    };
    const std::vector<std::pair<std::string, const char*>> rows{
        {"", "INVALID_MSG_FORMAT"},
        {"null", "INVALID_MSG_FORMAT"},
        {"[]", "INVALID_MSG_FORMAT"},
        {"\"x\"", "INVALID_MSG_FORMAT"},
        {"{", "INVALID_MSG_FORMAT"},
        {kGood + "x", "INVALID_MSG_FORMAT"},
        {kGood + kGood, "INVALID_MSG_FORMAT"},
        {std::string("\xEF\xBB\xBF") + kGood.substr(1), "INVALID_MSG_FORMAT"},
        {replaced("btId\":\"I1", "btId\":\"\xFF"), "INVALID_MSG_FORMAT"},
        {replaced("btId\":\"I1", std::string("btId\":\"\0", 8)), "INVALID_MSG_FORMAT"},
        {replaced("\"gbaUAware\":true", "\"btId\":\"other\""), "INVALID_MSG_FORMAT"},
        {replaced("\"uaSecProtId\"", "\"nafFqdn\":\"naf.example.org\",\"uaSecProtId\""),
         "INVALID_MSG_FORMAT"},
        {replaced("true", "\"" + std::string(8192, 'x') + "\""), "INVALID_MSG_FORMAT"},
        {nested(9), "INVALID_MSG_FORMAT"},
        {std::string(4000, '[') + std::string(4000, ']'), "INVALID_MSG_FORMAT"},
        {"{}", "MANDATORY_IE_MISSING"},
        {replaced("btId", "btid"), "MANDATORY_IE_MISSING"},
        {replaced("nafId", "nafID"), "MANDATORY_IE_MISSING"},
        {replaced("nafFqdn", "naffqdn"), "MANDATORY_IE_MISSING"},
        {replaced("uaSecProtId", "ua"), "MANDATORY_IE_MISSING"},
        {R"({"btId":5,"nafId":{}})", "MANDATORY_IE_INCORRECT"},
        {R"({"btId":"","nafId":{}})", "MANDATORY_IE_INCORRECT"},
        {R"({"btId":"b","nafId":"naf.example.org"})", "MANDATORY_IE_INCORRECT"},
        {replaced("I1U8", std::string(512, 'b')), "MANDATORY_IE_INCORRECT"},
        {replaced("nafkc.", "nafkc_."), "MANDATORY_IE_INCORRECT"},
        {replaced("nafkc.mnc001.mcc001.pub.3gppnetwork.org", "127.0.0.1"),
         "MANDATORY_IE_INCORRECT"},
        {replaced("nafkc.mnc001.mcc001.pub.3gppnetwork.org", "nafkc\\u0000.org"),
         "MANDATORY_IE_INCORRECT"},
        {replaced("ff00033259", "ff0003325"), "MANDATORY_IE_INCORRECT"},
        {replaced("ff00033259", "ff0003325g"), "MANDATORY_IE_INCORRECT"},
        {replaced("ff00033259", "ff000332590"), "MANDATORY_IE_INCORRECT"},
        {replaced("ff00033259", "0000000001"), "MANDATORY_IE_INCORRECT"},
        {replaced("\"ff00033259\"", "1"), "MANDATORY_IE_INCORRECT"},
        {replaced("true", "1"), "OPTIONAL_IE_INCORRECT"},
        {replaced("true", "null"), "OPTIONAL_IE_INCORRECT"},
        {replaced("[0,4294967295]", "[]"), "OPTIONAL_IE_INCORRECT"},
        {replaced("[0,4294967295]", "{}"), "OPTIONAL_IE_INCORRECT"},
        {replaced("[0,4294967295]", "[4294967296]"), "OPTIONAL_IE_INCORRECT"},
        {replaced("[0,4294967295]", "[-1]"), "OPTIONAL_IE_INCORRECT"},
        {replaced("[0,4294967295]", "[1.5]"), "OPTIONAL_IE_INCORRECT"},
    };
    for (const auto& [text, cause] : rows) {
        const auto parsed = parse_bootstrapping_info_request(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code, Errc::Malformed) << text;
        EXPECT_EQ(parsed.error().context, cause) << text;
    }
    EXPECT_TRUE(parse_bootstrapping_info_request(nested(5)));
}

TEST(ZnDocuments, EveryPrefixIsRefused) {
    for (std::size_t length = 0; length < kGood.size(); ++length) {
        EXPECT_FALSE(parse_bootstrapping_info_request(std::string_view(kGood).substr(0, length)))
            << length;
    }
}

TEST(ZnDocuments, ResponseOfTheWorkedExample) {
    const auto example = vectors::load("worked_example.json");
    const auto external = vectors::secret<32>(example["gba_u"]["ks_ext_naf"]);
    std::optional<Secret<32>> internal;
    const std::string impi = example["identities"]["impi"];
    const auto expires = parse_utc(std::string(example["lifetime"])).value();
    const auto created = expires - std::chrono::hours(24);

    const auto plain = write_bootstrapping_info({external, internal, expires, created, impi});
    EXPECT_EQ(
        plain,
        "{\"meKeyMaterial\":\"7fcccca5f4ab1636e46b59aca35208041d78318fe314cabf6a27e9becec917d5\","
        "\"keyExpiryTime\":\"2030-01-01T12:00:00Z\","
        "\"bootstrappingInfoCreationTime\":\"2029-12-31T12:00:00Z\",\"gbaType\":\"3G_GBA\","
        "\"impi\":\"001010123456789@ims.mnc001.mcc001.3gppnetwork.org\"}");

    internal = vectors::secret<32>(example["gba_u"]["ks_int_naf"]);
    const auto both =
        Json::parse(write_bootstrapping_info({external, internal, expires, created, impi}));
    EXPECT_EQ(both["meKeyMaterial"], example["gba_u"]["ks_ext_naf"]);
    EXPECT_EQ(both["uiccKeyMaterial"], example["gba_u"]["ks_int_naf"]);
    EXPECT_EQ(both.size(), 6u);
    const auto of_sim = Json::parse(
        write_bootstrapping_info({external, std::nullopt, expires, created, impi, true}));
    EXPECT_EQ(of_sim["gbaType"], "2G_GBA");
}

TEST(ZnDocuments, Problem) {
    EXPECT_EQ(write_problem(404, "CONTEXT_NOT_FOUND", "no such B-TID"),
              R"({"title":"no such B-TID","status":404,"cause":"CONTEXT_NOT_FOUND"})");
}

} // namespace
} // namespace mtkey::bsf
