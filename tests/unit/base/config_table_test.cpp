// SPDX-License-Identifier: Apache-2.0
#include "base/config_table.hpp"

#include <gtest/gtest.h>

namespace mtkey {
namespace {

ConfigTable parse(const char* text) {
    auto table = ConfigTable::parse(text, "/etc/x.toml");
    EXPECT_TRUE(table);
    return *std::move(table);
}

TEST(ConfigTable, ReadsEachKind) {
    auto table = parse("name = \"a\"\non = true\ncount = 7\nlist = [\"x\", \"y\"]\n[sub]\nkey = "
                       "\"v\"\n[[many]]\nn = 1\n[[many]]\nn = 2\n");
    EXPECT_EQ(table.text("name"), "a");
    EXPECT_EQ(table.flag_or("on", false), true);
    EXPECT_EQ(table.flag_or("off", false), false);
    EXPECT_EQ(table.number_or("count", 0, 1, 9), 7);
    EXPECT_EQ(table.texts_or_none("list"), (std::vector<std::string>{"x", "y"}));
    EXPECT_EQ(table.table("sub")->text("key"), "v");
    auto many = table.tables("many");
    ASSERT_TRUE(many);
    ASSERT_EQ(many->size(), 2U);
    EXPECT_EQ((*many)[1].number_or("n", 0, 0, 9), 2);
    EXPECT_TRUE(table.finish());
    EXPECT_EQ(table.table("absent")->text_or("x", "d"), "d");
}

void expect_error(const Error& error, const char* start, const char* part) {
    EXPECT_EQ(error.code, Errc::ConfigInvalid);
    EXPECT_TRUE(error.context.starts_with(start)) << error.context;
    EXPECT_NE(error.context.find(part), std::string::npos) << error.context;
}

TEST(ConfigTable, ErrorsNameFileLineKeyAndRemedy) {
    auto table = parse("a = 1\n\n[sub]\nmode = \"purple\"\nport = 99999\nflag = \"yes\"\n");
    expect_error(table.text("a").error(), "/etc/x.toml:1: 'a' ", "put it in quotes");
    auto sub = *table.table("sub");
    expect_error(sub.word_or("mode", "red", {"red", "green"}).error(), "/etc/x.toml:4: 'sub.mode' ",
                 "\"red\", \"green\"");
    expect_error(sub.number_or("port", 1, 0, 65535).error(), "/etc/x.toml:5: 'sub.port' ",
                 "0 to 65535");
    expect_error(sub.flag_or("flag", false).error(), "/etc/x.toml:6: 'sub.flag' ",
                 "without quotes");
    expect_error(sub.text("needed").error(), "/etc/x.toml:3: 'sub.needed' ", "write needed = ");
}

TEST(ConfigTable, UnknownKeysAreErrors) {
    auto table = parse("known = \"a\"\ntypo = \"b\"\n");
    EXPECT_TRUE(table.text("known"));
    expect_error(table.finish().error(), "/etc/x.toml:2: 'typo' ", "known here: known");
}

TEST(ConfigTable, SyntaxErrorsHaveTheirLine) {
    const auto table = ConfigTable::parse("a = 1\nb = = 2\n", "/etc/x.toml");
    ASSERT_FALSE(table);
    expect_error(table.error(), "/etc/x.toml:2", "");
}

TEST(ConfigTable, RelativePathsFollowTheFile) {
    const auto table = parse("");
    EXPECT_EQ(table.resolve("key.pem"), "/etc/key.pem");
    EXPECT_EQ(table.resolve("/abs"), "/abs");
    EXPECT_EQ(table.resolve(""), "");
}

} // namespace
} // namespace mtkey
