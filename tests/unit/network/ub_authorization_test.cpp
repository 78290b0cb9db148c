// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/ub_authorization.hpp"

#include "vectors/vector_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vector>

namespace mtkey::bsf {
namespace {

constexpr auto kRealm = "bsf.mnc001.mcc001.pub.3gppnetwork.org";

/// Name and the text of its value as it stands in the header.
using Parameters = std::vector<std::pair<std::string, std::string>>;

Parameters good_answer() {
    return {{"username", "\"001010123456789@ims.mnc001.mcc001.3gppnetwork.org\""},
            {"realm", "\"bsf.mnc001.mcc001.pub.3gppnetwork.org\""},
            {"nonce", "\"I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5jH8/DXI/skQ=\""},
            {"uri", "\"/\""},
            {"qop", "auth-int"},
            {"nc", "00000001"},
            {"cnonce", "\"6629fae49393a05397450978507c4ef1\""},
            {"response", "\"6ad521e5ab5c5d4eea42ff0b09d6ec50\""},
            {"opaque", "\"5ccc069c403ebaf9f0171e9517f30e41\""},
            {"algorithm", "AKAv1-MD5"}};
}

std::string header(const Parameters& parameters) {
    std::string out = "Digest ";
    for (const auto& [name, value] : parameters) {
        out += (out.size() > 7 ? ", " : "") + name + "=" + value;
    }
    return out;
}

/// `value` null: left out.
std::string with(const std::string& name, const char* value) {
    auto parameters = good_answer();
    std::erase_if(parameters, [&](const auto& parameter) { return parameter.first == name; });
    if (value != nullptr) {
        parameters.emplace_back(name, value);
    }
    return header(parameters);
}

Result<UbAuthorization> parse(const std::string& value) {
    HttpRequest request;
    request.headers.add("Authorization", value);
    return parse_authorization(request, kRealm);
}

TEST(UbAuthorization, AnswerOfTheWorkedExample) {
    const auto example = vectors::load("worked_example.json");
    const auto parsed = parse(example["gba_u"]["ub"]["authorization_header"]);
    ASSERT_TRUE(parsed) << describe(parsed.error());
    EXPECT_FALSE(parsed->first());
    EXPECT_EQ(parsed->inputs.username, example["identities"]["impi"]);
    EXPECT_EQ(parsed->inputs.nonce, example["gba_u"]["ub"]["nonce"]);
    EXPECT_EQ(parsed->inputs.cnonce, example["digest_constants"]["cnonce"]);
    EXPECT_EQ(parsed->opaque, example["digest_constants"]["opaque"]);
    EXPECT_EQ(parsed->response, example["gba_u"]["ub"]["response"]);
    EXPECT_FALSE(parsed->auts);
}

// Source: TS 24.109 annex A.3, first request.
TEST(UbAuthorization, FirstRequest) {
    const auto parsed =
        parse("Digest username=\"001010123456789@ims.mnc001.mcc001.3gppnetwork.org\", realm=\"" +
              std::string(kRealm) + "\", nonce=\"\", uri=\"/\", response=\"\"");
    ASSERT_TRUE(parsed) << describe(parsed.error());
    EXPECT_TRUE(parsed->first());
    EXPECT_EQ(parsed->inputs.username, "001010123456789@ims.mnc001.mcc001.3gppnetwork.org");
}

TEST(UbAuthorization, Auts) {
    const auto parsed = parse(with("auts", "\"uoU/PBLLmLLQQ/deFO8=\""));
    ASSERT_TRUE(parsed);
    ASSERT_TRUE(parsed->auts);
    EXPECT_EQ(to_hex(*parsed->auts), "ba853f3c12cb98b2d043f75e14ef");
}

TEST(UbAuthorization, OtherGoodForms) {
    const std::vector<std::string> rows{
        with("algorithm", nullptr),
        with("algorithm", "\"AKAv1-MD5\""),
        with("algorithm", "akaV1-md5"),
        with("qop", "\"auth-int\""),
        with("nc", "\"00000001\""),
        with("extension", "\"whatever\""),
        with("uri", "/"),
        with("cnonce", "x"),
        with("cnonce", "\"a \\\"quoted\\\" one\""),
        with("opaque", nullptr), // its value is looked at later
        "digest" + with("x", "y").substr(6),
        "DIGEST" + with("x", "y").substr(6),
    };
    for (const auto& row : rows) {
        EXPECT_TRUE(parse(row)) << row;
    }
}

TEST(UbAuthorization, HostileHeaders) {
    const std::string long_text(3000, 'a');
    const auto quoted = [](const std::string& text) { return "\"" + text + "\""; };
    const std::vector<std::string> rows{
        "",
        "Digest",
        "Digest ",
        "Digest ,,,",
        "Basic dXNlcjpwYXNz",
        "Bearer x",
        "AKAv1-MD5 username=\"x\"",
        header(good_answer()).substr(7), // no scheme
        "Digest" + header(good_answer()).substr(7),
        header(good_answer()) + ", " + header(good_answer()),
        header(good_answer()) + ", Basic x",
        header(good_answer()) + ", realm=\"" + kRealm + "\"",
        header(good_answer()) + ", REALM=\"other\"",
        header(good_answer()) + ", nonce=\"\"",
        header(good_answer()) + " garbage",
        header(good_answer()) + ", =x",
        header(good_answer()) + ", x=",
        header(good_answer()) + ", x=\"open",
        header(good_answer()) + ", x=\"open\\",
        header(good_answer()) + ", x=\"a\"b",
        header(good_answer()) + std::string(", x=\"a\0b\"", 9),
        header(good_answer()) + ", x=\"a\rb\"",
        header(good_answer()) + ", x=\"a\nb\"",
        header(good_answer()) + ", x=" + quoted(std::string(5000, 'x')),
        with("username", nullptr),
        with("username", "\"\""),
        with("username", quoted(std::string(256, 'u')).c_str()),
        with("username", quoted(long_text).c_str()),
        with("realm", nullptr),
        with("realm", "\"\""),
        with("realm", "\"bsf.example.org\""),
        with("realm", "\"BSF.mnc001.mcc001.pub.3gppnetwork.org\""),
        with("realm", "\"bsf.mnc001.mcc001.pub.3gppnetwork.org.\""),
        with("realm", "\"bsf.mnc001.mcc001.pub.3gppnetwork.org \""),
        with("uri", nullptr),
        with("uri", "\"\""),
        with("uri", "\"//\""),
        with("uri", "\"/x\""),
        with("uri", "\"http://bsf.mnc001.mcc001.pub.3gppnetwork.org/\""),
        with("nonce", nullptr),
        with("response", nullptr),
        with("response", "\"\""),
        with("response", "\"6ad521e5ab5c5d4eea42ff0b09d6ec5\""),
        with("response", "\"6ad521e5ab5c5d4eea42ff0b09d6ec500\""),
        with("algorithm", "MD5"),
        with("algorithm", "AKAv2-MD5"),
        with("algorithm", "AKAv1-MD5-sess"),
        with("algorithm", "SHA-256"),
        with("algorithm", "\"\""),
        with("qop", nullptr),
        with("qop", "auth"),
        with("qop", "\"auth,auth-int\""),
        with("qop", "Auth-int"),
        with("qop", "\"\""),
        with("nc", nullptr),
        with("nc", "00000000"),
        with("nc", "00000002"),
        with("nc", "1"),
        with("nc", "0x000001"),
        with("nc", "000000001"),
        with("nc", "ffffffff"),
        with("cnonce", nullptr),
        with("cnonce", "\"\""),
        with("cnonce", quoted(std::string(257, 'c')).c_str()),
        with("auts", "\"\""),
        with("auts", "\"uoU/PBLLmLLQQ/deFO8\""),
        with("auts", "\"uoU/PBLLmLLQQ/deFA==\""),
        with("auts", "\"uoU/PBLLmLLQQ/deFO8AAA==\""),
        with("auts", "\"uoU/PBLLmLLQQ_deFO8=\""),
        with("auts", "\"ba853f3c12cb98b2d043f75e14ef\""),
    };
    for (const auto& row : rows) {
        const auto parsed = parse(row);
        ASSERT_FALSE(parsed) << row;
        EXPECT_EQ(parsed.error().code, Errc::Malformed) << row;
        EXPECT_THAT(describe(parsed.error()), testing::Not(testing::HasSubstr("00101"))) << row;
    }
}

TEST(UbAuthorization, HeaderMustStandOnce) {
    HttpRequest request;
    EXPECT_FALSE(parse_authorization(request, kRealm));
    request.headers.add("Authorization", header(good_answer()));
    EXPECT_TRUE(parse_authorization(request, kRealm));
    request.headers.add("authorization", header(good_answer()));
    EXPECT_FALSE(parse_authorization(request, kRealm));
}

TEST(UbAuthorization, ManyParameters) {
    auto parameters = good_answer();
    for (int i = 0; parameters.size() < 32; ++i) {
        parameters.emplace_back("x" + std::to_string(i), "1");
    }
    EXPECT_TRUE(parse(header(parameters)));
    parameters.emplace_back("one-more", "1");
    EXPECT_FALSE(parse(header(parameters)));
}

/// A cut of a good header is an error, unless it falls behind the last parameter that is needed.
TEST(UbAuthorization, EveryPrefix) {
    const auto whole = header(good_answer());
    const auto needed = whole.find(", opaque=");
    ASSERT_NE(needed, std::string::npos);
    for (std::size_t length = 0; length < whole.find(", algorithm="); ++length) {
        const bool complete = length >= needed && length <= needed + 2; // "", "," or ", " behind it
        EXPECT_EQ(parse(whole.substr(0, length)).has_value(), complete) << length;
    }
}

} // namespace
} // namespace mtkey::bsf
