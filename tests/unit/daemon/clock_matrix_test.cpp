// SPDX-License-Identifier: Apache-2.0
// The wall clock jumps while the daemon runs: nothing is used after its end, and nothing deleted
// before it (threats C1).
#include "unit/daemon/procedure_fixture.hpp"

#include <vector>

namespace mtkey::daemon {
namespace {

struct Jump {
    const char* name;
    std::chrono::seconds by{0};
    std::chrono::hours suspended{0}; ///< both clocks go on, nobody runs
    const char* to = nullptr;        ///< in place of `by`
};
constexpr std::chrono::hours kYear{365 * 24};
const Jump kJumps[] = {
    {"-10 y", -10 * kYear},
    {"-1 d", -24h},
    {"-1 s", -1s},
    {"+1 s", 1s},
    {"+1 d", 24h},
    {"+10 y", 10 * kYear},
    {"2038", 0s, 0h, "2038-01-19T03:14:07Z"},
    {"8 h suspended", 0s, 8h},
};

class ClockMatrix : public ProcedureTest, public ::testing::WithParamInterface<Jump> {
protected:
    static constexpr auto kKeyEnd = 12h;     // what the Key Center gave
    static constexpr auto kContextEnd = 24h; // T_Ks
    static constexpr auto kPendingEnd = 1h;

    void jump() {
        const auto& how = GetParam();
        if (how.to != nullptr) {
            clock.set_utc(how.to);
        } else {
            clock.jump_utc(how.by);
        }
        clock.advance(how.suspended);
    }
    [[nodiscard]] bool forward() const { return GetParam().to != nullptr || GetParam().by >= 24h; }
    /// Draft 5.5.1 by the holder of the stored key.
    bool key_used(const Held& key) {
        Link link(*this);
        return resume(link, key).answer.status == local::ResumeAnswer::Status::Known;
    }
    /// L2 hands out the present B-TID.
    bool context_used(const std::string& b_tid) {
        Link link(*this);
        return link.key_info("urn:uuid:2").b_tid == b_tid;
    }
};

/// Looked at every half hour until all has ended; the jump comes at the fourth, and stays.
TEST_P(ClockMatrix, Running) {
    const auto key = establish_and_confirm();
    const auto b_tid = key.answer.b_tid;
    const auto start = clock.boot_now();
    unsigned uses = 0;
    for (int look = 0; look < 60; ++look) {
        if (look == 4) {
            jump();
        }
        mt.sweep();
        const auto elapsed = clock.boot_now() - start;
        const bool key_there = store.find(kDevice) != nullptr;
        const bool context_there = card.state_.context && card.state_.context->b_tid == b_tid;
        ASSERT_EQ(key_there, elapsed < kKeyEnd) << look << ": deleted at its end, not before";
        ASSERT_EQ(context_there, elapsed < kContextEnd) << look;
        const bool key_in_use = key_used(key);
        const bool context_in_use = context_used(b_tid);
        ASSERT_FALSE(key_in_use && elapsed >= kKeyEnd) << look;
        ASSERT_FALSE(context_in_use && elapsed >= kContextEnd) << look;
        uses += (key_in_use ? 1U : 0U) + (context_in_use ? 1U : 0U);
        if (!forward()) {
            ASSERT_EQ(key_in_use, elapsed < kKeyEnd) << look << ": nothing is lost by it";
            ASSERT_EQ(context_in_use, elapsed < kContextEnd) << look;
        }
        ASSERT_EQ(card.runs, 1U);
        clock.advance(30min);
    }
    EXPECT_GE(uses, 8U) << "they were used while they lived";
    EXPECT_EQ(mt.next_end(), std::nullopt);
}

/// The clock is wrong for three hours: what was not to be used by it is as before.
TEST_P(ClockMatrix, SetRightAgain) {
    const auto key = establish_and_confirm();
    const auto b_tid = key.answer.b_tid;
    const auto right = [&, utc = clock.utc_now(), boot = clock.boot_now()] {
        clock.jump_utc(utc + std::chrono::floor<std::chrono::seconds>(clock.boot_now() - boot) -
                       clock.utc_now());
    };
    clock.advance(1h);
    jump();
    for (int look = 0; look < 6; ++look) {
        mt.sweep();
        EXPECT_EQ(key_used(key), !forward());
        EXPECT_EQ(context_used(b_tid), !forward());
        clock.advance(30min);
    }
    right();
    mt.sweep();
    const auto suspended = GetParam().suspended;
    EXPECT_EQ(key_used(key), 4h + suspended < kKeyEnd);
    EXPECT_TRUE(context_used(b_tid));
    EXPECT_EQ(card.runs, 1U);
}

TEST_P(ClockMatrix, PendingKey) {
    Link link(*this);
    const auto key = establish_only(link);
    const auto start = clock.boot_now();
    clock.advance(10min);
    jump();
    mt.sweep();
    const bool due = clock.boot_now() - start >= kPendingEnd;
    EXPECT_EQ(mt.pending().size(), due ? 0U : 1U);
    clock.advance(40min);
    mt.sweep();
    EXPECT_EQ(mt.pending().size(), due ? 0U : 1U);
    clock.advance(10min);
    mt.sweep();
    EXPECT_EQ(mt.pending().size(), 0U);
    Link late(*this);
    send_confirm(late, key);
    EXPECT_EQ(late.refused(), ErrorCode::Confirmation);
    EXPECT_EQ(store.find(kDevice), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Jumps, ClockMatrix, ::testing::ValuesIn(kJumps), [](const auto& jump) {
    std::string name = jump.param.name;
    for (char& c : name) {
        c = c == '-' ? 'm' : c == '+' ? 'p' : c == ' ' ? '_' : c;
    }
    return name;
});

} // namespace
} // namespace mtkey::daemon
