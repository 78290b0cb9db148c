// SPDX-License-Identifier: Apache-2.0
// The rules are those of TS 33.102 clause C.2; the numbers are worked out by hand.
#include "aka/aka.hpp"

#include <gtest/gtest.h>

namespace mtkey::aka {
namespace {

Sqn sqn(std::uint64_t seq, unsigned ind) {
    return sqn_from_number(seq << 5 | ind);
}

TEST(SqnArray, EachIndCountsByItself) {
    SqnArray array;
    EXPECT_FALSE(array.fresh(sqn(0, 0)));
    array.accept(sqn(10, 3));
    EXPECT_FALSE(array.fresh(sqn(10, 3)));
    EXPECT_FALSE(array.fresh(sqn(9, 3)));
    EXPECT_TRUE(array.fresh(sqn(11, 3)));
    // An older one of another user of the same AuC is fresh: it has not been seen.
    EXPECT_TRUE(array.fresh(sqn(5, 4)));
    array.accept(sqn(5, 4));
    EXPECT_FALSE(array.fresh(sqn(5, 4)));
    EXPECT_EQ(array.highest(), sqn(10, 3));
    array.accept(sqn(10, 7));
    EXPECT_EQ(array.highest(), sqn(10, 7));
}

TEST(SqnArray, DeltaCountsFromTheHighestOfAll) {
    SqnArray array(sqn(100, 0), {.limit = 10});
    EXPECT_TRUE(array.fresh(sqn(110, 1)));
    EXPECT_FALSE(array.fresh(sqn(111, 1)));
    array.accept(sqn(110, 1));
    EXPECT_TRUE(array.fresh(sqn(120, 2)));
    EXPECT_TRUE(array.fresh(sqn(101, 0))); // below SEQ_MS no limit holds
}

TEST(SqnArray, StartsAsIfAllUpToTheHighestWereUsed) {
    const auto start = sqn(100, 7);
    SqnArray array(start);
    EXPECT_EQ(array.highest(), start);
    EXPECT_FALSE(array.fresh(start));
    EXPECT_FALSE(array.fresh(sqn(100, 6)));
    EXPECT_FALSE(array.fresh(sqn(99, 31)));
    EXPECT_TRUE(array.fresh(sqn(100, 8)));
    EXPECT_TRUE(array.fresh(sqn(101, 0)));
    EXPECT_EQ(SqnArray().highest(), Sqn{});
    const auto last = sqn_from_number(0xFFFF'FFFF'FFFF);
    EXPECT_EQ(SqnArray(last).highest(), last);
}

TEST(SqnArray, WithoutIndItIsOneCounter) {
    SqnArray array(sqn_from_number(50), {.ind_bits = 0});
    EXPECT_EQ(array.entries().size(), 1U);
    EXPECT_FALSE(array.fresh(sqn_from_number(50)));
    EXPECT_TRUE(array.fresh(sqn_from_number(51)));
}

TEST(SqnArray, OutlivesAPowerCycle) {
    SqnArray before;
    before.accept(sqn(10, 3));
    before.accept(sqn(5, 4));
    SqnArray after;
    ASSERT_TRUE(after.restore(before.entries()));
    EXPECT_EQ(after.entries(), before.entries());
    EXPECT_FALSE(after.fresh(sqn(5, 4)));
    EXPECT_TRUE(after.fresh(sqn(6, 4)));
    EXPECT_FALSE(after.restore({1, 2, 3}));
    EXPECT_FALSE(after.restore(std::vector<std::int64_t>(32, -2)));
    EXPECT_FALSE(after.restore(std::vector<std::int64_t>(32, std::int64_t{1} << 43)));
    EXPECT_EQ(after.entries(), before.entries());
}

} // namespace
} // namespace mtkey::aka
