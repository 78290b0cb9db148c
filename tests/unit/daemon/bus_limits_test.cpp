// SPDX-License-Identifier: Apache-2.0
// How much one caller gets of what all share.
#include "daemon/bus_limits.hpp"

#include "fakes/manual_clock.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace mtkey::daemon {
namespace {

using namespace std::chrono_literals;

TEST(Seats, SoManyForOneAndForAll) {
    std::vector<Seats::Seat> held;
    Seats seats(2, 3);
    held.push_back(seats.take("a"));
    held.push_back(seats.take("a"));
    EXPECT_TRUE(held[0] && held[1]);
    EXPECT_FALSE(seats.take("a"));
    held.push_back(seats.take("b"));
    EXPECT_TRUE(held[2]);
    EXPECT_FALSE(seats.take("b")) << "three are all there are";
    held.erase(held.begin());
    const auto copy = held[0];
    EXPECT_TRUE(seats.take("b"));
    held.erase(held.begin());
    held.push_back(seats.take("a"));
    EXPECT_TRUE(held.back());
    EXPECT_FALSE(seats.take("a")) << "one is held by the copy";
}

TEST(Seats, OutliveTheTable) {
    Seats::Seat seat;
    {
        Seats seats(1, 1);
        seat = seats.take("a");
    }
    EXPECT_TRUE(seat);
    seat.reset();
}

TEST(CallRate, BurstAndThenSoManyInASecond) {
    fakes::ManualClock clock;
    CallRate rate(clock, 20, 40);
    const auto admitted = [&](const std::string& sender) {
        unsigned count = 0;
        while (rate.admit(sender)) {
            ++count;
        }
        return count;
    };
    EXPECT_EQ(admitted("a"), 40U);
    EXPECT_EQ(admitted("b"), 40U) << "each for itself";
    clock.advance(1s);
    EXPECT_EQ(admitted("a"), 20U);
    clock.advance(1h);
    EXPECT_EQ(admitted("a"), 40U) << "no more than the bucket holds";
}

TEST(CallRate, TableIsBounded) {
    fakes::ManualClock clock;
    CallRate rate(clock, 20, 40);
    while (rate.admit("greedy")) {
    }
    for (std::size_t i = 0; i < 3 * CallRate::kMost; ++i) {
        EXPECT_TRUE(rate.admit("n" + std::to_string(i)));
        ASSERT_LE(rate.known(), CallRate::kMost);
    }
    EXPECT_FALSE(rate.admit("greedy")) << "not forgotten for those who called once";
}

} // namespace
} // namespace mtkey::daemon
