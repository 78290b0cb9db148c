// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/pending_challenges.hpp"

#include "fakes/manual_clock.hpp"

#include <gtest/gtest.h>
#include <string>

namespace mtkey::bsf {
namespace {

class PendingChallengesTest : public ::testing::Test {
protected:
    static PendingChallenge of(const std::string& impi) {
        PendingChallenge out;
        out.username = impi;
        out.impi = impi;
        return out;
    }
    fakes::ManualClock clock;
    PendingChallenges pending{clock};
};

TEST_F(PendingChallengesTest, TakenOnceAndByItsOwner) {
    pending.put("n", of("a"));
    EXPECT_FALSE(pending.take("n", "b"));
    EXPECT_FALSE(pending.take("m", "a"));
    EXPECT_TRUE(pending.take("n", "a"));
    EXPECT_FALSE(pending.take("n", "a"));
}

TEST_F(PendingChallengesTest, FiveMinutesOnTheClockThatNobodySets) {
    pending.put("n", of("a"));
    pending.put("m", of("a"));
    clock.jump_utc(std::chrono::hours(1));
    EXPECT_TRUE(pending.take("n", "a"));
    clock.advance(PendingChallenges::kLife);
    EXPECT_FALSE(pending.take("m", "a"));
}

TEST_F(PendingChallengesTest, OldestOfASubscriberGoesFirst) {
    for (int i = 0; i < 6; ++i) {
        pending.put("n" + std::to_string(i), of("a"));
        clock.advance(std::chrono::seconds(1));
    }
    EXPECT_EQ(pending.size(), PendingChallenges::kLimitPerSubscriber);
    EXPECT_FALSE(pending.take("n1", "a"));
    EXPECT_TRUE(pending.take("n2", "a"));
}

TEST_F(PendingChallengesTest, OldestOfAllGoesWhenFull) {
    for (std::size_t i = 0; i <= PendingChallenges::kLimit; ++i) {
        pending.put("n" + std::to_string(i), of("s" + std::to_string(i)));
        clock.advance(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(pending.size(), PendingChallenges::kLimit);
    EXPECT_FALSE(pending.take("n0", "s0"));
    EXPECT_TRUE(pending.take("n1", "s1"));
}

} // namespace
} // namespace mtkey::bsf
