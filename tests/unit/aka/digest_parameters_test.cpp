// SPDX-License-Identifier: Apache-2.0
#include "aka/digest.hpp"

#include <gtest/gtest.h>

namespace mtkey::aka {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(DigestParametersTest, WhatPeersSend) {
    const struct {
        std::string header;
        Pairs expected;
    } rows[]{
        {R"(Digest realm="bsf.example.com", nonce="abc=", algorithm=AKAv1-MD5, qop="auth-int")",
         {{"realm", "bsf.example.com"},
          {"nonce", "abc="},
          {"algorithm", "AKAv1-MD5"},
          {"qop", "auth-int"}}},
        {R"(digest REALM="r",Nonce="n")", {{"realm", "r"}, {"nonce", "n"}}},
        {R"(DIGEST  realm = "r" , nonce	=	n)", {{"realm", "r"}, {"nonce", "n"}}},
        {"Digest nonce=I1U8vpY3qJ0hiuZNrke/NQ==,uri=/",
         {{"nonce", "I1U8vpY3qJ0hiuZNrke/NQ=="}, {"uri", "/"}}},
        {R"(Digest qop="auth,auth-int", algorithm="AKAv1-MD5")",
         {{"qop", "auth,auth-int"}, {"algorithm", "AKAv1-MD5"}}},
        {R"(Digest username="u", nonce="", response="")",
         {{"username", "u"}, {"nonce", ""}, {"response", ""}}},
        {R"(Digest realm="a \"b\" \\ c, d=e", x=1)", {{"realm", R"(a "b" \ c, d=e)"}, {"x", "1"}}},
        {R"( Digest , realm="r",, nonce="n", )", {{"realm", "r"}, {"nonce", "n"}}},
        {"Digest realm=\"J\xC3\xA4ger\"", {{"realm", "J\xC3\xA4ger"}}},
    };
    for (const auto& row : rows) {
        const auto parsed = DigestParameters::parse_challenge(row.header);
        ASSERT_TRUE(parsed) << row.header;
        for (const auto& [name, value] : row.expected) {
            EXPECT_EQ(parsed->get(name), value) << row.header << ": " << name;
        }
        EXPECT_EQ(parsed->get("absent"), std::nullopt);
    }
}

TEST(DigestParametersTest, Info) {
    const auto info = DigestParameters::parse_info(
        R"(qop=auth-int, rspauth="78bc76de665ef688505c915406d8904f", cnonce="6629", nc=00000001)");
    ASSERT_TRUE(info);
    EXPECT_EQ(info->get("rspauth"), "78bc76de665ef688505c915406d8904f");
    EXPECT_EQ(info->get("nc"), "00000001");
    const auto spelt = DigestParameters::parse_info("NC=1, nc=2").value();
    EXPECT_EQ(spelt.all(), (DigestParameters::Values{{"NC", "1"}, {"nc", "2"}}));
    for (const auto* text : {"", " ", ",,,", "Digest qop=auth", "qop", "qop=", "=auth", "qop==\"",
                             "qop=auth;nc=1\""}) {
        EXPECT_FALSE(DigestParameters::parse_info(text)) << text;
    }
}

TEST(DigestParametersTest, HostileInput) {
    const std::string nul(1, '\0');
    std::string many = "Digest a=1";
    for (int i = 1; i < 32; ++i) {
        many += ", a" + std::to_string(i) + "=1";
    }
    EXPECT_TRUE(DigestParameters::parse_challenge(many));
    const std::string fits = R"(Digest realm=")" + std::string(4096 - 15, 'x') + '"';
    ASSERT_EQ(fits.size(), 4096u);
    EXPECT_TRUE(DigestParameters::parse_challenge(fits));
    const std::vector<std::string> rows{
        "",
        " ",
        "Digest",
        "Digest ",
        "Digest,",
        "Digestrealm=\"r\"",
        "Basic realm=\"r\"",
        "Negotiate",
        R"(Basic realm="r", Digest realm="r", nonce="n")",
        R"(Digest realm="r", nonce="n", Basic realm="r")",
        R"(Digest realm="r", nonce="n", Digest realm="r2", nonce="n2")",
        R"(Digest realm="r", realm="r")",
        R"(Digest realm="r", REALM="other")",
        R"(Digest realm="r)",
        R"(Digest realm="r\)",
        R"(Digest realm="r\")",
        R"(Digest realm=")",
        R"(Digest realm="r"nonce="n")",
        R"(Digest realm="r" nonce="n")",
        R"(Digest realm="r"; nonce="n")",
        R"(Digest realm=a"b")",
        R"(Digest realm=)",
        R"(Digest realm=,)",
        R"(Digest realm)",
        R"(Digest ="r")",
        R"(Digest "realm"="r")",
        R"(Digest r\ealm="r")",
        R"(Digest qop=auth,auth-int)",
        "Digest realm=\"r" + nul + "x\"",
        "Digest realm=r" + nul,
        "Digest realm" + nul + "=\"r\"",
        nul + "Digest realm=\"r\"",
        "Digest realm=\"r\r\nX-Injected: 1\"",
        "Digest realm=\"r\\\n\"",
        "Digest realm=\"\x7F\"",
        "Digest realm=\"a\tb\"",
        "Digest realm=\"r\"\nnonce=\"n\"",
        "Digest realm=\xC3\xA4",
        many + ", one_more=1",
        fits + " ",
        R"(Digest realm=")" + std::string(5 * 1024, 'x') + '"',
        "Digest " + std::string(5 * 1024, ','),
        "Digest " + std::string(5 * 1024, '"'),
        std::string(5 * 1024, ' '),
    };
    for (const auto& row : rows) {
        const auto parsed = DigestParameters::parse_challenge(row);
        ASSERT_FALSE(parsed) << row;
        EXPECT_EQ(parsed.error().code, Errc::Malformed) << row;
    }
}

TEST(DigestParametersTest, EveryCutOfAGoodHeaderIsHandled) {
    const std::string header =
        R"(Digest realm="bsf.example.com", nonce="a\"b=", algorithm=AKAv1-MD5, qop="auth-int")";
    for (std::size_t length = 0; length < header.size(); ++length) {
        const auto parsed = DigestParameters::parse_challenge(header.substr(0, length));
        if (parsed) {
            EXPECT_TRUE(parsed->get("realm")) << length;
        }
    }
}

TEST(Quote, EscapesAndRefusesControlCharacters) {
    EXPECT_EQ(quote("plain"), "\"plain\"");
    EXPECT_EQ(quote(""), "\"\"");
    EXPECT_EQ(quote(R"(a"b\c)"), R"("a\"b\\c")");
    for (const auto& text :
         {std::string("a\r\nb"), std::string("\0", 1), std::string("\x7F"), std::string("\t")}) {
        EXPECT_FALSE(quote(text));
    }
    const std::string value = R"(say "hi" \o/, ok=1)";
    const auto parsed = DigestParameters::parse_challenge("Digest realm=" + *quote(value));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->get("realm"), value);
}

} // namespace
} // namespace mtkey::aka
