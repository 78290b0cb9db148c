// SPDX-License-Identifier: Apache-2.0
#include "keys/bootstrap_budget.hpp"

#include "fakes/manual_clock.hpp"

#include <gtest/gtest.h>

namespace mtkey::keys {
namespace {

using namespace std::chrono_literals;

/// Asks every second for `time`, as `devices` devices in turn; how many runs that gives.
unsigned flood(BootstrapBudget& budget, fakes::ManualClock& clock, std::chrono::seconds time,
               unsigned devices, bool forced) {
    unsigned runs = 0;
    for (auto i = 0s; i < time; i += 1s) {
        const auto tag = device_tag("urn:device:" + std::to_string(i.count() % devices));
        if (budget.wait(tag, forced) == 0ms) {
            budget.spend(tag);
            ++runs;
        }
        clock.advance(1s);
    }
    return runs;
}

TEST(BootstrapBudget, LimitsHoldInAnyMinuteHourAndDay) {
    fakes::ManualClock clock;
    BootstrapBudget budget({}, clock);
    EXPECT_EQ(flood(budget, clock, 59s, 100, false), 1U);
    EXPECT_EQ(flood(budget, clock, 1h - 59s, 100, false), 9U);
    for (int hour = 0; hour < 3; ++hour) {
        EXPECT_EQ(flood(budget, clock, 1h, 100, false), 10U);
    }
    EXPECT_EQ(flood(budget, clock, 20h, 100, false), 10U) << "50 a day";
    EXPECT_EQ(flood(budget, clock, 1h, 100, false), 10U) << "those of the day before are over";
}

TEST(BootstrapBudget, TellsHowLong) {
    fakes::ManualClock clock;
    BootstrapBudget budget({}, clock);
    EXPECT_EQ(budget.wait("a", false), 0ms);
    budget.spend("b");
    EXPECT_EQ(budget.wait("a", false), 60s);
    clock.advance(59'999ms);
    EXPECT_EQ(budget.wait("a", false), 1ms);
    clock.advance(1ms);
    EXPECT_EQ(budget.wait("a", false), 0ms);
    for (int i = 0; i < 9; ++i) {
        budget.spend("");
    }
    EXPECT_EQ(budget.wait("a", false), 59min) << "until the first one is an hour old";
}

TEST(BootstrapBudget, OneDeviceHasItsPart) {
    fakes::ManualClock clock;
    BootstrapBudget budget({}, clock);
    EXPECT_EQ(flood(budget, clock, 1h, 1, false), 3U);
    EXPECT_EQ(flood(budget, clock, 22h, 1, false), 7U) << "ten a day";
    EXPECT_EQ(budget.wait(device_tag("another"), false), 0ms);
}

TEST(BootstrapBudget, ForcedRunsLeaveSomeForWhenThereIsNoBtid) {
    fakes::ManualClock clock;
    BootstrapBudget budget({}, clock);
    EXPECT_EQ(flood(budget, clock, 50min, 100, true), 8U);
    EXPECT_GT(budget.wait("another", true), 0ms);
    EXPECT_EQ(budget.wait("another", false), 0ms);
    EXPECT_EQ(flood(budget, clock, 10min - 60s, 100, false), 2U);
}

TEST(BootstrapBudget, AdministratorsRunsCount) {
    fakes::ManualClock clock;
    BootstrapBudget budget({}, clock);
    for (int i = 0; i < 2000; ++i) {
        budget.spend("");
    }
    EXPECT_LE(budget.runs().size(), 50U);
    EXPECT_EQ(budget.wait("a", false), 24h);
}

TEST(BootstrapBudget, GoesOnWithWhatIsRemembered) {
    fakes::ManualClock clock;
    BootstrapBudget budget({}, clock);
    EXPECT_EQ(flood(budget, clock, 30min, 10, false), 10U);
    BootstrapBudget later({}, clock);
    later.restore({budget.runs().rbegin(), budget.runs().rend()});
    EXPECT_EQ(later.runs(), budget.runs());
    EXPECT_EQ(flood(later, clock, 29min, 10, false), 0U);
    // A time to come is a mistake of the clock: it is now, not never.
    BootstrapBudget future({}, clock);
    future.restore({BegunRun{clock.boot_now() + 240h, "a"}});
    EXPECT_EQ(future.wait("b", false), 60s);
}

TEST(BootstrapBudget, UnknownPastLeavesOneRun) {
    fakes::ManualClock clock;
    BootstrapBudget budget({}, clock);
    budget.assume_busy_past();
    EXPECT_EQ(flood(budget, clock, 5min, 100, false), 1U);
    EXPECT_EQ(flood(budget, clock, 55min, 100, false), 9U) << "and then as slowly as they may come";
    for (const unsigned many : {1U, 2U, 1000U}) {
        BootstrapBudget other({.per_minute = many, .per_hour = many, .per_day = many}, clock);
        other.assume_busy_past();
        EXPECT_EQ(other.wait("a", false), 0ms) << many;
    }
}

TEST(BootstrapBudget, YoungestBtidThatMayBeReplaced) {
    fakes::ManualClock clock;
    EXPECT_EQ(BootstrapBudget({}, clock).least_age(), 60s);
    EXPECT_EQ(BootstrapBudget({.per_minute = 60}, clock).least_age(), 1s);
}

} // namespace
} // namespace mtkey::keys
