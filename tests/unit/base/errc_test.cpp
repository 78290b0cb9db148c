// SPDX-License-Identifier: Apache-2.0
#include "base/errc.hpp"
#include "base/result.hpp"

#include <gtest/gtest.h>
#include <set>

namespace mtkey {
namespace {

TEST(Errc, EachHasOneNameAndAnExitStatus) {
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(Errc::Internal); ++i) {
        const auto& row = info(static_cast<Errc>(i));
        EXPECT_TRUE(names.insert(row.name).second) << row.name;
        EXPECT_GE(row.exit_status, 1);
        EXPECT_LE(row.exit_status, 10);
        EXPECT_FALSE(row.sentence.empty());
        EXPECT_EQ(errc_from_name(row.name), row.code);
    }
    EXPECT_EQ(errc_from_name("NoSuchError"), Errc::Internal);
}

TEST(Errc, SentenceNamesObjectAndDetail) {
    EXPECT_EQ(describe(Error{Errc::NoCard, 0, "reader X"}),
              "reader X: no UICC in the reader; insert one");
    EXPECT_TRUE(describe(Error{Errc::MacFailure, 0x9862, ""}).ends_with("(0x9862)"));
    EXPECT_TRUE(describe(Error{Errc::BsfRejected, 403, ""}).ends_with("(403)"));
}

Result<int> half(int value) {
    if (value % 2 != 0) {
        return fail(Errc::InvalidArgument, "odd");
    }
    return value / 2;
}
Result<int> quarter(int value) {
    return MTKEY_TRY(half(MTKEY_TRY(half(value))));
}
Result<void> must_be_even(int value) {
    MTKEY_CHECK(half(value));
    return {};
}

TEST(Result, TryNestsAndPassesErrorsOn) {
    EXPECT_EQ(quarter(8), 2);
    ASSERT_FALSE(quarter(6));
    EXPECT_EQ(quarter(6).error().context, "odd");
    EXPECT_TRUE(must_be_even(2));
    EXPECT_FALSE(must_be_even(3));
}

} // namespace
} // namespace mtkey
