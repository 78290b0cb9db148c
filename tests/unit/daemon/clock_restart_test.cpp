// SPDX-License-Identifier: Apache-2.0
// The wall clock jumps around a restart of the daemon, or of the system: a context that is resumed
// is not used after its end, and in the same boot none is lost before it (threats C1).
// clock_matrix_test.cpp has the running daemon.
#include "unit/daemon/inline_card.hpp"

#include <gtest/gtest.h>

#include <tuple>

namespace mtkey::daemon {
namespace {

using namespace std::chrono_literals;

struct Jump {
    const char* name;
    std::chrono::seconds by{0};
    std::chrono::hours off{0}; ///< time that goes by meanwhile
};
constexpr std::chrono::hours kYear{365 * 24};
// From the end of 2029 it is eight years and some days to the last second of 31 bits.
const Jump kJumps[] = {{"m10y", -10 * kYear},
                       {"m1d", -24h},
                       {"m1s", -1s},
                       {"p1s", 1s},
                       {"p1d", 24h},
                       {"p10y", 10 * kYear},
                       {"to2038", 254'049'247s},
                       {"off8h", 0s, 8h}};
enum class Boot { Same, Another };
enum class When { BeforeTheEnd, WhileOff };

class ClockRestart : public ::testing::TestWithParam<std::tuple<Jump, Boot, When>> {
protected:
    static constexpr auto kLifetime = 24h;

    static Config config() {
        Config out;
        keys::NafEntry entry;
        entry.naf_id = CardRig::naf_id();
        out.nafs = {entry};
        return out;
    }
    ClockRestart() {
        card.bootstrap({}, [](const auto& done) { EXPECT_TRUE(done); });
        b_tid = card.b_tid();
    }
    void pass(std::chrono::milliseconds time) {
        rig.clock.advance(time);
        elapsed += time;
    }
    void jump() {
        rig.clock.jump_utc(std::get<Jump>(GetParam()).by);
        pass(std::get<Jump>(GetParam()).off);
    }
    void restart() {
        const auto boot = std::get<Boot>(GetParam());
        const auto when = std::get<When>(GetParam());
        if (when == When::BeforeTheEnd) {
            jump();
        }
        card.restart(boot == Boot::Same ? "b001" : "b002", [&] {
            if (when == When::WhileOff) {
                jump();
            }
            if (boot == Boot::Another) {
                rig.clock.reboot();
            }
        });
    }
    /// As L2 does it.
    [[nodiscard]] bool used() const {
        const auto& context = card.state().context;
        return context && context->b_tid == b_tid && keys::usable(*context, rig.clock);
    }

    CardRig rig{{}, config()};
    InlineCard card{rig};
    std::string b_tid;
    std::chrono::milliseconds elapsed{0}; ///< since the bootstrapping, in truth
};

TEST_P(ClockRestart, NothingIsUsedAfterItsEnd) {
    const auto [how, boot, when] = GetParam();
    pass(6h);
    ASSERT_TRUE(used());
    restart();
    const bool forward = how.by >= 24h;
    unsigned uses = 0;
    for (; elapsed < 30h; pass(30min)) {
        ASSERT_FALSE(used() && elapsed >= kLifetime);
        uses += used() ? 1U : 0U;
        if (boot == Boot::Same && !forward) {
            ASSERT_EQ(used(), elapsed + std::max(how.by, 0s) < kLifetime)
                << "nothing is lost by it";
        }
    }
    EXPECT_EQ(rig.exchanges, 2U) << "no run of its own";
    // What is known of the time after a reboot is UTC, as long as it has not gone back.
    EXPECT_EQ(uses > 0, boot == Boot::Same ? !forward : how.by >= 0s && !forward);
}

class ClockSetRight : public ClockRestart {};

TEST_P(ClockSetRight, NoLossInTheSameBoot) {
    pass(6h);
    restart();
    EXPECT_FALSE(used());
    pass(1h);
    rig.clock.jump_utc(-std::get<Jump>(GetParam()).by);
    card.restart();
    EXPECT_TRUE(used());
}

std::string name_of(const ::testing::TestParamInfo<ClockRestart::ParamType>& info) {
    const auto [how, boot, when] = info.param;
    return std::string(how.name) + (boot == Boot::Same ? "_restarted" : "_rebooted") +
           (when == When::WhileOff ? "_while_off" : "_before");
}
INSTANTIATE_TEST_SUITE_P(Jumps, ClockRestart,
                         ::testing::Combine(::testing::ValuesIn(kJumps),
                                            ::testing::Values(Boot::Same, Boot::Another),
                                            ::testing::Values(When::BeforeTheEnd, When::WhileOff)),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Forward, ClockSetRight,
                         ::testing::Combine(::testing::Values(kJumps[4], kJumps[5], kJumps[6]),
                                            ::testing::Values(Boot::Same),
                                            ::testing::Values(When::BeforeTheEnd, When::WhileOff)),
                         name_of);

} // namespace
} // namespace mtkey::daemon
