// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/av_answer.hpp"

#include "base/encoding.hpp"
#include "vectors/vector_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace mtkey::bsf {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kGood =
    R"({"rand":"23553cbe9637a89d218ae64dae47bf35","autn":"55f328b43577b9b94a9ffac354dfafb3",)"
    R"("xres":"a54211d5e3ba50bf","ck":"b40ba9a3c58b2a05bbf0d987b21bf8cb",)"
    R"("ik":"f769bcd751044604127672711c6d3441"})";

std::string changed(const std::string& what, const std::string& by) {
    auto text = kGood;
    text.replace(text.find(what), what.size(), by);
    return text;
}

TEST(AvAnswer, RequestsAsDocumented) {
    EXPECT_EQ(write_av_request("user@example.org", nullptr).value(),
              "{\"impi\":\"user@example.org\"}\n");
    Resynchronisation resync;
    resync.rand.fill(1);
    resync.auts.fill(0xAB);
    EXPECT_EQ(write_av_request("u", &resync).value(),
              R"({"impi":"u","resync":{"rand":"01010101010101010101010101010101",)"
              R"("auts":"abababababababababababababab"}})"
              "\n");
}

TEST(AvAnswer, WhatCouldLeaveTheTextIsAStranger) {
    for (const std::string impi : {"a\"b", "a\\b", "a b", "a\nb", "a\x7F", "\xC3\xA4", "a\"}\n{"}) {
        const auto refused = write_av_request(impi, nullptr);
        ASSERT_FALSE(refused) << impi;
        EXPECT_EQ(refused.error().code, Errc::NotFound);
    }
}

TEST(AvAnswer, Reads) {
    const auto answer = parse_av_answer(kGood);
    ASSERT_TRUE(answer) << describe(answer.error());
    EXPECT_EQ(to_hex(answer->vector.rand), "23553cbe9637a89d218ae64dae47bf35");
    EXPECT_EQ(to_hex(answer->vector.autn), "55f328b43577b9b94a9ffac354dfafb3");
    EXPECT_EQ(vectors::text_of(answer->vector.xres), "a54211d5e3ba50bf");
    EXPECT_EQ(vectors::text_of(answer->vector.ck), "b40ba9a3c58b2a05bbf0d987b21bf8cb");
    EXPECT_EQ(vectors::text_of(answer->vector.ik), "f769bcd751044604127672711c6d3441");
    EXPECT_EQ(answer->mode, Mode::GbaMe);
    EXPECT_FALSE(answer->lifetime);
}

TEST(AvAnswer, ReadsWhatMayBeThere) {
    const auto answer = parse_av_answer(changed(
        "}", " ,\n\"mode\" : \"gba-u\", \"lifetime_seconds\":3600, \"note\":\"x\"\r\n} \n"));
    ASSERT_TRUE(answer) << describe(answer.error());
    EXPECT_EQ(answer->mode, Mode::GbaU);
    EXPECT_EQ(answer->lifetime, std::chrono::seconds(3600));
    EXPECT_TRUE(parse_av_answer(changed("a54211d5e3ba50bf", "A54211D5")));
    EXPECT_TRUE(parse_av_answer(changed("a54211d5e3ba50bf", std::string(32, '0'))));
}

TEST(AvAnswer, ErrorsOfTheHss) {
    EXPECT_EQ(parse_av_answer(R"({"error":"unknown-subscriber"})").error().code, Errc::NotFound);
    EXPECT_EQ(parse_av_answer(R"({"error":"resync-refused"})").error().code, Errc::Rejected);
    EXPECT_EQ(parse_av_answer(R"({"error":"other"})").error().code, Errc::IoFailed);
}

TEST(AvAnswer, EverythingElseIsRefusedWithoutRepeatingIt) {
    std::vector<std::string> rows{
        "",
        " ",
        "{}",
        "[]",
        "null",
        "x",
        "{",
        "}",
        kGood + "x",
        kGood + kGood,
        "[" + kGood + "]",
        changed("\"rand\":", "\"rand\""),
        changed("\"rand\"", "rand"),
        changed(",\"autn\"", "\"autn\""),
        changed("}", ",}"),
        changed("}", ""),
        changed("}", ",\"rand\":\"00\"}"),
        changed("}", ",\"x\":null}"),
        changed("}", ",\"x\":{}}"),
        changed("}", ",\"x\":[]}"),
        changed("}", ",\"x\":-1}"),
        changed("}", ",\"x\":1.5}"),
        changed("}", ",\"x\":\"\\u0041\"}"),
        changed("}", ",\"x\":\"a\tb\"}"),
        changed("}", ",\"x\":\"\xC3\xA4\"}"),
        changed("}", ",\"mode\":\"gba\"}"),
        changed("}", ",\"mode\":1}"),
        changed("}", ",\"lifetime_seconds\":0}"),
        changed("}", ",\"lifetime_seconds\":31622401}"),
        changed("}", ",\"lifetime_seconds\":99999999999999999999}"),
        changed("}", ",\"lifetime_seconds\":\"60\"}"),
        changed("a54211d5e3ba50bf", "a54211"),
        changed("a54211d5e3ba50bf", std::string(34, '0')),
        changed("a54211d5e3ba50bf", "a54211d5e3ba50b"),
        changed("a54211d5e3ba50bf", "g54211d5"),
        changed("\"xres\":\"a54211d5e3ba50bf\"", "\"xres\":1234567890"),
        changed("}", ",\"x\":\"" + std::string(2048, 'a') + "\"}"),
    };
    for (const auto* name : {"rand", "autn", "xres", "ck", "ik"}) {
        rows.push_back(changed(std::string("\"") + name + "\"", "\"other\""));
    }
    for (const auto* value :
         {"23553cbe9637a89d218ae64dae47bf35", "55f328b43577b9b94a9ffac354dfafb3",
          "b40ba9a3c58b2a05bbf0d987b21bf8cb", "f769bcd751044604127672711c6d3441"}) {
        rows.push_back(changed(value, std::string(30, '0')));
        rows.push_back(changed(value, std::string(34, '0')));
    }
    std::string many = "{";
    for (int i = 0; i < 40; ++i) {
        many += "\"m" + std::to_string(i) + "\":1,";
    }
    rows.push_back(many + kGood.substr(1));
    for (const auto& row : rows) {
        const auto refused = parse_av_answer(row);
        ASSERT_FALSE(refused) << row;
        EXPECT_EQ(refused.error().code, Errc::IoFailed) << row;
        EXPECT_THAT(refused.error().context, Not(HasSubstr("b40ba9"))) << row;
    }
}

TEST(AvAnswer, EveryPrefixIsRefused) {
    for (std::size_t length = 0; length < kGood.size(); ++length) {
        EXPECT_FALSE(parse_av_answer(kGood.substr(0, length))) << length;
    }
}

} // namespace
} // namespace mtkey::bsf
