// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/pending_challenges.hpp"

#include "fakes/manual_clock.hpp"
#include "network/bsf/peer_network.hpp"

#include <gtest/gtest.h>
#include <string>

namespace mtkey::bsf {
namespace {

class PendingChallengesTest : public ::testing::Test {
protected:
    static PendingChallenge of(const std::string& impi, const std::string& peer = {}) {
        PendingChallenge out;
        out.peer = peer;
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

TEST_F(PendingChallengesTest, FloodOfOnePeerEndsItsOwnWhenFull) {
    pending.put("honest", of("a", "1"));
    for (std::size_t i = 0; i < 2 * PendingChallenges::kLimit; ++i) {
        pending.put("n" + std::to_string(i), of("s" + std::to_string(i), "2"));
    }
    pending.put("late", of("b", "3"));
    EXPECT_EQ(pending.size(), PendingChallenges::kLimit);
    EXPECT_TRUE(pending.take("honest", "a"));
    EXPECT_TRUE(pending.take("late", "b"));
    const auto last = 2 * PendingChallenges::kLimit - 1;
    EXPECT_TRUE(pending.take("n" + std::to_string(last), "s" + std::to_string(last)));
}

TEST_F(PendingChallengesTest, FloodOfOnePeerForASubscriberEndsItsOwn) {
    pending.put("honest", of("a", "1"));
    for (int i = 0; i < 20; ++i) {
        pending.put("n" + std::to_string(i), of("a", "2"));
    }
    pending.put("honest again", of("a", "1"));
    EXPECT_EQ(pending.size(), PendingChallenges::kLimitPerSubscriber);
    EXPECT_TRUE(pending.take("honest", "a"));
    EXPECT_TRUE(pending.take("honest again", "a"));
    EXPECT_TRUE(pending.take("n19", "a"));
}

TEST(PeerNetworkTest, AnAddressOfIpv4AndANetworkOfIpv6) {
    EXPECT_EQ(peer_network("192.0.2.1:80"), peer_network("192.0.2.1:81"));
    EXPECT_NE(peer_network("192.0.2.1:80"), peer_network("192.0.2.2:80"));
    EXPECT_EQ(peer_network("[2001:db8:0:1::1]:80"), peer_network("[2001:db8:0:1:2:3:4:5]:81"));
    EXPECT_NE(peer_network("[2001:db8:0:1::1]:80"), peer_network("[2001:db8:0:2::1]:80"));
    EXPECT_EQ(peer_network("[fe80::1%eth0]:80"), peer_network("[fe80::2%eth0]:80"));
    EXPECT_NE(peer_network("[::ffff:192.0.2.1]:80"), peer_network("[::ffff:192.0.2.2]:80"));
    EXPECT_EQ(peer_network(""), "");
}

} // namespace
} // namespace mtkey::bsf
