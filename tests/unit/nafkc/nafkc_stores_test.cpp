// SPDX-License-Identifier: Apache-2.0
#include "network/nafkc/delivered_keys.hpp"
#include "network/nafkc/miss_limiter.hpp"

#include <gtest/gtest.h>

namespace mtkey::nafkc {
namespace {

using namespace std::chrono_literals;
const UtcTime kNow{std::chrono::seconds(1'800'000'000)};

DeliveredKeys::Entry entry(UtcTime expires, std::uint8_t first = 1) {
    Secret<32> key;
    key.reveal_writable()[0] = first;
    return {std::move(key), expires, "mt-1"};
}

TEST(DeliveredKeys, KeepsUntilTheEnd) {
    DeliveredKeys keys;
    keys.put({"b", "n", "d"}, entry(kNow + 10s, 7), kNow);
    const auto found = keys.find({"b", "n", "d"}, kNow + 9s);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->ks_local_mt.reveal()[0], 7);
    EXPECT_FALSE(keys.find({"b", "n", "e"}, kNow));
    EXPECT_FALSE(keys.find({"b", "m", "d"}, kNow));
    EXPECT_FALSE(keys.find({"c", "n", "d"}, kNow));
    EXPECT_EQ(keys.size(), 1U);
    EXPECT_FALSE(keys.find({"b", "n", "d"}, kNow + 10s));
    EXPECT_EQ(keys.size(), 0U) << "gone from memory";
    EXPECT_FALSE(keys.find({"b", "n", "d"}, kNow)) << "a clock that is set back revives nothing";
}

TEST(DeliveredKeys, PurgeTakesWhatHasEnded) {
    DeliveredKeys keys;
    keys.put({"1", "n", "d"}, entry(kNow + 1s), kNow);
    keys.put({"2", "n", "d"}, entry(kNow + 2s), kNow);
    keys.purge(kNow + 1s);
    EXPECT_EQ(keys.size(), 1U);
    EXPECT_TRUE(keys.find({"2", "n", "d"}, kNow + 1s));
}

TEST(DeliveredKeys, HoldsNoMoreThanItsLimit) {
    DeliveredKeys keys;
    for (std::size_t i = 0; i < DeliveredKeys::kLimit; ++i) {
        keys.put({std::to_string(i), "n", "d"}, entry(kNow + 100s + std::chrono::seconds(i)), kNow);
    }
    keys.put({"5", "n", "d"}, entry(kNow + 105s, 9), kNow); // the same one again needs no place
    EXPECT_TRUE(keys.find({"0", "n", "d"}, kNow));
    keys.put({"new", "n", "d"}, entry(kNow + 1000s), kNow);
    EXPECT_EQ(keys.size(), DeliveredKeys::kLimit);
    EXPECT_FALSE(keys.find({"0", "n", "d"}, kNow)) << "the one that ends first went";
    EXPECT_TRUE(keys.find({"new", "n", "d"}, kNow));
    keys.put({"later", "n", "d"}, entry(kNow + 2000s), kNow + 500s);
    EXPECT_LT(keys.size(), DeliveredKeys::kLimit - 300) << "what has ended goes first";
}

TEST(MissLimiter, CountsWithinAWindow) {
    MissLimiter limiter;
    const BootTime start{1h};
    for (unsigned i = 0; i < MissLimiter::kMostMisses; ++i) {
        EXPECT_EQ(limiter.wait("d", start + i * 1s), 0s);
        limiter.miss("d", start + i * 1s);
    }
    EXPECT_EQ(limiter.wait("d", start + 60s), 540s);
    EXPECT_EQ(limiter.wait("e", start + 60s), 0s);
    EXPECT_EQ(limiter.wait("d", start + 10min), 0s);
    limiter.miss("d", start + 10min);
    EXPECT_EQ(limiter.wait("d", start + 10min), 0s);
}

TEST(MissLimiter, ItsMemoryIsBounded) {
    MissLimiter limiter;
    const BootTime start{1h};
    for (std::size_t i = 0; i < MissLimiter::kLimit + 100; ++i) {
        limiter.miss("device" + std::to_string(i), start);
    }
    for (unsigned i = 0; i < MissLimiter::kMostMisses; ++i) {
        limiter.miss("late", start);
        limiter.miss("device1", start);
    }
    EXPECT_EQ(limiter.wait("late", start), 0s) << "no place to count it";
    EXPECT_GT(limiter.wait("device1", start), 0s);
    for (unsigned i = 0; i < MissLimiter::kMostMisses; ++i) {
        limiter.miss("late", start + 10min);
    }
    EXPECT_GT(limiter.wait("late", start + 10min), 0s);
}

} // namespace
} // namespace mtkey::nafkc
