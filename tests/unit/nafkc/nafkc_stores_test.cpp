// SPDX-License-Identifier: Apache-2.0
#include "network/nafkc/delivered_keys.hpp"
#include "network/nafkc/miss_limiter.hpp"

#include "fakes/manual_clock.hpp"

#include <gtest/gtest.h>

namespace mtkey::nafkc {
namespace {

using namespace std::chrono_literals;

class DeliveredKeysTest : public testing::Test {
protected:
    /// Ends in `life` from now.
    DeliveredKeys::Entry entry(std::chrono::seconds life, std::uint8_t first = 1) const {
        Secret<32> key;
        key.reveal_writable()[0] = first;
        return {std::move(key), clock_.utc_now() + life, "mt-1", {}};
    }

    fakes::ManualClock clock_;
    DeliveredKeys keys_{clock_};
};

TEST_F(DeliveredKeysTest, KeepsUntilTheEnd) {
    keys_.put({"b", "n", "d"}, entry(10s, 7));
    clock_.advance(9s);
    const auto found = keys_.find({"b", "n", "d"});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->ks_local_mt.reveal()[0], 7);
    EXPECT_FALSE(keys_.find({"b", "n", "e"}));
    EXPECT_FALSE(keys_.find({"b", "m", "d"}));
    EXPECT_FALSE(keys_.find({"c", "n", "d"}));
    EXPECT_EQ(keys_.size(), 1U);
    clock_.advance(1s);
    EXPECT_FALSE(keys_.find({"b", "n", "d"}));
    EXPECT_EQ(keys_.size(), 0U) << "gone from memory";
}

// Threat C1
TEST_F(DeliveredKeysTest, AClockThatIsSetBeforeTheEndIsNoticedRevivesNothing) {
    keys_.put({"1", "n", "d"}, entry(10s));
    keys_.put({"2", "n", "d"}, entry(10s));
    clock_.jump_utc(-24h);
    clock_.advance(9s);
    EXPECT_TRUE(keys_.find({"1", "n", "d"}));
    clock_.advance(1s);
    EXPECT_FALSE(keys_.find({"1", "n", "d"}));
    EXPECT_EQ(keys_.size(), 1U);
    keys_.purge();
    EXPECT_EQ(keys_.size(), 0U);
}

TEST_F(DeliveredKeysTest, PurgeTakesWhatHasEnded) {
    keys_.put({"1", "n", "d"}, entry(1s));
    keys_.put({"2", "n", "d"}, entry(2s));
    clock_.advance(1s);
    keys_.purge();
    EXPECT_EQ(keys_.size(), 1U);
    EXPECT_TRUE(keys_.find({"2", "n", "d"}));
}

TEST_F(DeliveredKeysTest, HoldsNoMoreThanItsLimit) {
    for (std::size_t i = 0; i < DeliveredKeys::kLimit; ++i) {
        keys_.put({std::to_string(i), "n", "d"}, entry(100s + std::chrono::seconds(i)));
    }
    keys_.put({"5", "n", "d"}, entry(105s, 9)); // the same one again needs no place
    EXPECT_TRUE(keys_.find({"0", "n", "d"}));
    keys_.put({"new", "n", "d"}, entry(1000s));
    EXPECT_EQ(keys_.size(), DeliveredKeys::kLimit);
    EXPECT_FALSE(keys_.find({"0", "n", "d"})) << "the one that ends first went";
    EXPECT_TRUE(keys_.find({"new", "n", "d"}));
    clock_.advance(500s);
    keys_.put({"later", "n", "d"}, entry(1500s));
    EXPECT_LT(keys_.size(), DeliveredKeys::kLimit - 300) << "what has ended goes first";
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
