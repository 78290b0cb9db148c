// SPDX-License-Identifier: Apache-2.0
// What a stored key is worth by which clock (threats C1).
#include "machine.hpp"

#include <gtest/gtest.h>

namespace mtkey::store {
namespace {

using namespace std::chrono_literals;

class StoreClocks : public ::testing::Test {
protected:
    KeyRecord record(const std::string& device_id, std::uint8_t key, std::chrono::seconds life) {
        return record_of(device_id, key, machine.clock, life);
    }
    Machine machine;
};

TEST_F(StoreClocks, RestartInTheSameBootKeepsTheDeadline) {
    ASSERT_TRUE(machine.start()->put(record("a", 1, 24h)));
    for (const auto jump :
         std::initializer_list<std::chrono::seconds>{-87600h, -24h, -1s, 1s, 24h, 87600h}) {
        auto clock = machine.clock;
        machine.clock.advance(1h);
        machine.clock.jump_utc(jump);
        const auto store = machine.start();
        EXPECT_FALSE(store->report().time_unknown);
        const auto* found = store->find("a");
        ASSERT_NE(found, nullptr);
        EXPECT_FALSE(found->ended(machine.clock)) << "nothing is wiped for a clock that was set";
        EXPECT_EQ(found->usable(machine.clock), jump < 23h);
        machine.clock.advance(23h);
        EXPECT_TRUE(found->ended(machine.clock)) << "and nothing lasts for one";
        machine.clock = clock;
    }
}

TEST_F(StoreClocks, AfterARebootUtcSaysWhatIsLeft) {
    ASSERT_TRUE(machine.start()->put(record("a", 1, 24h)));
    machine.reboot(10h);
    {
        const auto store = machine.start();
        const auto* found = store->find("a");
        ASSERT_NE(found, nullptr);
        EXPECT_FALSE(found->time_unknown);
        EXPECT_EQ(found->deadline, machine.clock.boot_now() + 14h);
        EXPECT_TRUE(found->usable(machine.clock));
        ASSERT_TRUE(store->remember({.uicc = "u", .bootstrap = {}, .tombstones = {}}));
    }
    machine.reboot(14h);
    const auto store = machine.start();
    EXPECT_TRUE(store->find("a")->ended(machine.clock));
    EXPECT_FALSE(store->find("a")->usable(machine.clock));
}

TEST_F(StoreClocks, AfterARebootNothingLastsLongerThanItDid) {
    // UTC said 24 hours, BOOTTIME 2: the shorter counts on, however UTC looks.
    auto short_one = record("a", 1, 24h);
    short_one.deadline = machine.clock.boot_now() + 2h;
    ASSERT_TRUE(machine.start()->put(std::move(short_one)));
    machine.reboot(0s);
    const auto store = machine.start();
    EXPECT_EQ(store->find("a")->deadline, machine.clock.boot_now() + 2h);
}

TEST_F(StoreClocks, ClockBehindTheMarkIsNoClock) {
    {
        const auto store = machine.start();
        ASSERT_TRUE(store->put(record("a", 1, 24h)));
        machine.clock.advance(20h);
        ASSERT_TRUE(store->remember({.uicc = "u", .bootstrap = {}, .tombstones = {}}));
    }
    machine.reboot(10h); // a has ended meanwhile
    machine.clock.jump_utc(-15h);
    const auto store = machine.start();
    EXPECT_TRUE(store->report().time_unknown);
    const auto* found = store->find("a");
    ASSERT_NE(found, nullptr);
    EXPECT_TRUE(found->time_unknown);
    EXPECT_FALSE(found->usable(machine.clock)) << "UTC alone would let it live";
    EXPECT_FALSE(found->ended(machine.clock)) << "nor is it known to be over";
    EXPECT_EQ(found->deadline, machine.clock.boot_now() + 4h) << "at the most";
    // A key of now can be used: both its ends are of this clock.
    ASSERT_TRUE(store->put(record("b", 2, 24h)));
    EXPECT_TRUE(store->find("b")->usable(machine.clock));
    // The next start in this boot knows no better.
    machine.clock.advance(1h);
    const auto again = machine.start();
    EXPECT_EQ(again->find("a")->deadline, machine.clock.boot_now() + 3h);
}

TEST_F(StoreClocks, ClockMustBeAheadByAsLongAsTheBootHasLasted) {
    ASSERT_TRUE(machine.start()->put(record("a", 1, 24h)));
    machine.reboot(10s);
    machine.clock.advance(1h);
    auto clock = machine.clock;
    machine.clock.jump_utc(-11s); // still behind the mark by the beginning of this boot
    EXPECT_TRUE(machine.start()->report().time_unknown);
    machine.clock = clock;
    EXPECT_FALSE(machine.start()->report().time_unknown);
}

TEST_F(StoreClocks, MarkIsNotSetBackWithTheClock) {
    {
        const auto store = machine.start();
        ASSERT_TRUE(store->put(record("a", 1, 24h)));
        machine.clock.jump_utc(-2h);
        ASSERT_TRUE(store->put(record("b", 2, 24h)));
    }
    machine.reboot(1h);
    EXPECT_TRUE(machine.start()->report().time_unknown);
}

TEST_F(StoreClocks, RestartWhileTheTimeIsUnknown) {
    ASSERT_TRUE(machine.start()->put(record("a", 1, 24h)));
    machine.reboot(1h);
    machine.clock.jump_utc(-2h);
    {
        const auto store = machine.start();
        EXPECT_FALSE(store->find("a")->usable(machine.clock));
        ASSERT_TRUE(store->put(record("b", 2, 24h)));
    }
    // Written in this boot now, and still nobody knows what time it is.
    const auto store = machine.start();
    EXPECT_FALSE(store->find("a")->usable(machine.clock));
    EXPECT_TRUE(store->find("b")->usable(machine.clock));
    EXPECT_TRUE(store->report().time_unknown);
    machine.reboot(3h); // the clock is ahead of the mark, at last
    const auto later = machine.start();
    EXPECT_FALSE(later->report().time_unknown);
    EXPECT_TRUE(later->find("a")->usable(machine.clock));
}

TEST_F(StoreClocks, TrustedTimeEndsTheDoubt) {
    ASSERT_TRUE(machine.start()->put(record("a", 1, 24h)));
    ASSERT_TRUE(machine.start()->put(record("b", 2, 2h)));
    machine.reboot(3h);
    const auto right = machine.clock.utc_now();
    machine.clock.jump_utc(-87600h);
    const auto store = machine.start();
    EXPECT_FALSE(store->find("a")->usable(machine.clock));
    machine.clock.set_utc(format_utc(right));
    store->trust_time();
    EXPECT_FALSE(store->report().time_unknown);
    EXPECT_TRUE(store->find("a")->usable(machine.clock));
    EXPECT_EQ(store->find("a")->deadline, machine.clock.boot_now() + 21h);
    EXPECT_TRUE(store->find("b")->ended(machine.clock));
}

TEST_F(StoreClocks, MarkOfAClockThatWasWrongIsTakenBack) {
    {
        const auto store = machine.start();
        ASSERT_TRUE(store->put(record("a", 1, 24h)));
        machine.clock.jump_utc(87600h);
        ASSERT_TRUE(store->put(record("b", 2, 24h))); // the mark is ten years ahead now
        machine.clock.jump_utc(-87600h);
    }
    machine.reboot(1h);
    {
        const auto store = machine.start();
        EXPECT_TRUE(store->report().time_unknown);
        store->trust_time();
        EXPECT_TRUE(store->find("a")->usable(machine.clock));
        ASSERT_TRUE(store->remember({.uicc = "u", .bootstrap = {}, .tombstones = {}}));
    }
    machine.reboot(1h);
    EXPECT_FALSE(machine.start()->report().time_unknown);
}

/// threats C1: jumps of the clock in each phase. The truth is what CLOCK_BOOTTIME and the time off
/// add up to.
TEST_F(StoreClocks, ClockMatrix) {
    enum class Phase { Running, Restarted, Rebooted };
    struct Jump {
        const char* name;
        std::chrono::seconds by;
    };
    const auto in_2038 = UtcTime(2147483648s) - machine.clock.utc_now();
    const std::array jumps{Jump{"-10 y", -87600h}, Jump{"-1 d", -24h},   Jump{"-1 s", -1s},
                           Jump{"none", 0s},       Jump{"+1 s", 1s},     Jump{"+1 d", 24h},
                           Jump{"+10 y", 87600h},  Jump{"2038", in_2038}};
    constexpr auto kLife = 24h;
    for (const auto phase : {Phase::Running, Phase::Restarted, Phase::Rebooted}) {
        for (const auto& jump : jumps) {
            for (const auto age : std::initializer_list<std::chrono::seconds>{
                     8h, kLife - 2s, kLife + 2s, kLife + 12h}) {
                SCOPED_TRACE(std::string(jump.name) + ", phase " +
                             std::to_string(static_cast<int>(phase)) + ", age " +
                             std::to_string(age.count()));
                Machine one;
                auto store = one.start();
                ASSERT_TRUE(store->put(record_of("a", 1, one.clock, kLife)));
                one.clock.advance(age - 30s); // suspended or not: both clocks go on
                if (phase == Phase::Rebooted) {
                    ASSERT_TRUE(store->note_time()); // the end of the program
                    one.reboot(30s);
                } else {
                    one.clock.advance(30s);
                }
                one.clock.jump_utc(jump.by);
                if (phase != Phase::Running) {
                    store = one.start();
                }
                ASSERT_FALSE(store->report().distrusted);
                const auto* found = store->find("a");
                ASSERT_NE(found, nullptr);
                const bool over = age >= kLife;
                if (over && (phase != Phase::Rebooted || jump.by >= 0s)) {
                    EXPECT_TRUE(found->ended(one.clock));
                }
                if (over) {
                    EXPECT_FALSE(found->usable(one.clock)) << "used after its end";
                } else if (phase != Phase::Rebooted) {
                    EXPECT_FALSE(found->ended(one.clock)) << "wiped for a clock that was set";
                    EXPECT_EQ(found->usable(one.clock), age + jump.by < kLife);
                } else if (jump.by == 0s) {
                    EXPECT_TRUE(found->usable(one.clock));
                }
                if (phase == Phase::Rebooted && jump.by < -1s) {
                    EXPECT_FALSE(found->usable(one.clock)) << "nobody knows what time it is";
                }
            }
        }
    }
}

} // namespace
} // namespace mtkey::store
