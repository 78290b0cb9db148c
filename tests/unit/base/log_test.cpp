// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"
#include "base/secret.hpp"

#include <gtest/gtest.h>
#include <type_traits>

namespace mtkey {
namespace {

static_assert(!std::is_constructible_v<LogField, std::string_view, const SecretBytes&>);
static_assert(!std::is_constructible_v<LogField, std::string_view, const Secret<32>&>);

TEST(Log, MasksIdentities) {
    EXPECT_EQ(masked_identity("001010123456789"), "*************89");
    EXPECT_EQ(masked_identity("001010123456789@ims.mnc001.mcc001.3gppnetwork.org"),
              "*************89@ims.mnc001.mcc001.3gppnetwork.org");
    EXPECT_EQ(masked_identity("1234"), "****");
    EXPECT_EQ(masked_b_tid("I1U8vpY3qJ0hiuZNrke/NQ==@bsf.x.org"), "I1U8vp...@bsf.x.org");
    EXPECT_EQ(masked_b_tid("ab"), "ab...");
}

TEST(Log, NothingUnprintablePasses) {
    EXPECT_EQ(printable("a\nb\x1b[31m\x7f\xff"), "a?b?[31m??");
    EXPECT_EQ(printable("abcdef", 3), "abc...");
}

TEST(Log, LineHasFieldsAndNoBreaks) {
    ::testing::internal::CaptureStderr();
    log(LogLevel::Warning, "card\nleft",
        {{"reader", "A B"}, {"count", std::int64_t{3}}, {"empty", ""}});
    log(LogLevel::Debug, "not shown");
    const auto text = ::testing::internal::GetCapturedStderr();
    EXPECT_TRUE(text.ends_with(" warning card?left reader=\"A B\" count=3 empty=\"\"\n")) << text;
    EXPECT_EQ(text.find("not shown"), std::string::npos);
}

TEST(Log, LevelsByName) {
    EXPECT_EQ(parse_log_level("debug"), LogLevel::Debug);
    EXPECT_FALSE(parse_log_level("loud"));
}

} // namespace
} // namespace mtkey
