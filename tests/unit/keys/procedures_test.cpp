// SPDX-License-Identifier: Apache-2.0
#include "keys/procedures.hpp"

#include "fakes/manual_clock.hpp"

#include <gtest/gtest.h>

namespace mtkey::keys {
namespace {

using namespace std::chrono_literals;

const UtcTime kStart = parse_utc("2030-01-01T00:00:00Z").value();

/// `later`: time that has gone by, on both clocks.
fakes::ManualClock at(std::chrono::milliseconds later) {
    fakes::ManualClock clock("2030-01-01T00:00:00Z");
    clock.advance(later);
    return clock;
}

ContextFacts facts() {
    const auto clock = at(0s);
    return ContextFacts{.b_tid = "b@bsf",
                        .expires = kStart + 72h,
                        .created = clock.utc_now(),
                        .local_end = clock.utc_now() + 72h,
                        .deadline = clock.boot_now() + 72h,
                        .use_deadline = clock.boot_now() + 24h};
}

NafList nafs() {
    NafEntry entry;
    entry.naf_id.fqdn = "kc.example.org";
    return NafList({entry});
}

Request request(std::optional<std::string> b_tid) {
    Request out;
    out.naf_id.fqdn = "kc.example.org";
    out.b_tid = std::move(b_tid);
    return out;
}

TEST(Procedures, BtidIsHandedOutForTUse) {
    // T_use = min(T_Ks, start + 24 h)
    EXPECT_EQ(b_tid_for_key_info(facts(), at(0s), false), "b@bsf");
    EXPECT_EQ(b_tid_for_key_info(facts(), at(24h - 1s), false), "b@bsf");
    EXPECT_FALSE(b_tid_for_key_info(facts(), at(24h), false));
    auto shorter = facts();
    shorter.local_end = kStart + 1h;
    EXPECT_TRUE(b_tid_for_key_info(shorter, at(1h - 1s), false));
    EXPECT_FALSE(b_tid_for_key_info(shorter, at(1h), false));
}

TEST(Procedures, NoBtidWithoutContextOrForTombstones) {
    EXPECT_FALSE(b_tid_for_key_info(std::nullopt, at(0s), false));
    EXPECT_FALSE(b_tid_for_key_info(facts(), at(0s), true));
    auto dead = facts();
    dead.deadline = at(0s).boot_now();
    EXPECT_FALSE(b_tid_for_key_info(dead, at(0s), false));
}

TEST(Procedures, Decisions) {
    const auto is = []<typename T>(const Decision& decision, T) {
        return std::holds_alternative<T>(decision);
    };
    // 5.5.2
    EXPECT_TRUE(is(decide(request({}), std::nullopt, nafs(), at(0s), false), RunBootstrapping{}));
    EXPECT_TRUE(is(decide(request({}), facts(), nafs(), at(0s), false), RunBootstrapping{}));
    // 5.5.3
    EXPECT_TRUE(is(decide(request("b@bsf"), facts(), nafs(), at(0s), false), DeriveFromContext{}));
    // too old by now, gone by now, or tombstoned
    EXPECT_TRUE(is(decide(request("b@bsf"), facts(), nafs(), at(24h), false), BtidGone{}));
    EXPECT_TRUE(is(decide(request("b@bsf"), std::nullopt, nafs(), at(0s), false), BtidGone{}));
    EXPECT_TRUE(is(decide(request("b@bsf"), facts(), nafs(), at(0s), true), BtidGone{}));
    // a bootstrapping between L2 and L3
    const auto changed = decide(request("old@bsf"), facts(), nafs(), at(0s), false);
    ASSERT_TRUE(is(changed, BtidChanged{}));
    EXPECT_EQ(std::get<BtidChanged>(changed).b_tid, "b@bsf");
    // never for a NAF_ID that is not ours
    auto foreign = request("b@bsf");
    foreign.naf_id.fqdn = "other.example.org";
    EXPECT_TRUE(is(decide(foreign, facts(), nafs(), at(0s), false), NafUnknown{}));
    foreign = request({});
    foreign.naf_id.ua = {1, 0, 0, 0, 2};
    EXPECT_TRUE(is(decide(foreign, std::nullopt, nafs(), at(0s), false), NafUnknown{}));
}

TEST(Procedures, ClockThatIsSetStretchesNothing) {
    auto clock = at(0s);
    clock.advance(24h - 1s);
    clock.jump_utc(-20h);
    EXPECT_TRUE(usable(facts(), clock));
    clock.advance(1s);
    EXPECT_FALSE(usable(facts(), clock)) << "T_use by CLOCK_BOOTTIME";
    EXPECT_TRUE(alive(facts(), clock));
    clock.advance(48h);
    EXPECT_FALSE(alive(facts(), clock));
    auto forward = at(0s);
    forward.jump_utc(25h);
    EXPECT_FALSE(usable(facts(), forward));
    EXPECT_TRUE(alive(facts(), forward));
    forward.jump_utc(10 * 365 * 24h);
    EXPECT_FALSE(alive(facts(), forward));
    EXPECT_FALSE(ended(facts(), forward)) << "set forward deletes nothing";
    forward.advance(72h);
    EXPECT_TRUE(ended(facts(), forward));
}

TEST(Procedures, BsfsTimeIsNotOurs) {
    for (const auto ahead : {-60 * 365 * 24h, 60 * 365 * 24h}) {
        auto other = facts();
        other.expires += ahead;
        EXPECT_TRUE(usable(other, at(24h - 1s)));
        EXPECT_FALSE(usable(other, at(24h)));
    }
}

TEST(Procedures, AgreedExpiryIsTheEarliest) {
    EXPECT_EQ(agreed_expiry(kStart + 1h, kStart + 2h, kStart), kStart + 1h);
    EXPECT_EQ(agreed_expiry(kStart + 2h, kStart + 1h, kStart), kStart + 1h);
    EXPECT_EQ(agreed_expiry(kStart + 1000h, kStart + 999h, kStart), kStart + 168h);
}

} // namespace
} // namespace mtkey::keys
