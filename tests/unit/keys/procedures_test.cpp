// SPDX-License-Identifier: Apache-2.0
#include "keys/procedures.hpp"

#include <gtest/gtest.h>

namespace mtkey::keys {
namespace {

using namespace std::chrono_literals;

const UtcTime kStart{1'900'000'000s};

ContextFacts facts() {
    return ContextFacts{
        .b_tid = "b@bsf", .created = kStart, .expires = kStart + 72h, .valid = true};
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
    EXPECT_EQ(b_tid_for_key_info(facts(), kStart, false), "b@bsf");
    EXPECT_EQ(b_tid_for_key_info(facts(), kStart + 24h - 1s, false), "b@bsf");
    EXPECT_FALSE(b_tid_for_key_info(facts(), kStart + 24h, false));
    auto shorter = facts();
    shorter.expires = kStart + 1h;
    EXPECT_TRUE(b_tid_for_key_info(shorter, kStart + 1h - 1s, false));
    EXPECT_FALSE(b_tid_for_key_info(shorter, kStart + 1h, false));
}

TEST(Procedures, NoBtidWithoutContextOrForTombstones) {
    EXPECT_FALSE(b_tid_for_key_info(std::nullopt, kStart, false));
    EXPECT_FALSE(b_tid_for_key_info(facts(), kStart, true));
    auto dead = facts();
    dead.valid = false;
    EXPECT_FALSE(b_tid_for_key_info(dead, kStart, false));
}

TEST(Procedures, Decisions) {
    const auto is = []<typename T>(const Decision& decision, T) {
        return std::holds_alternative<T>(decision);
    };
    // 5.5.2
    EXPECT_TRUE(is(decide(request({}), std::nullopt, nafs(), kStart, false), RunBootstrapping{}));
    EXPECT_TRUE(is(decide(request({}), facts(), nafs(), kStart, false), RunBootstrapping{}));
    // 5.5.3
    EXPECT_TRUE(is(decide(request("b@bsf"), facts(), nafs(), kStart, false), DeriveFromContext{}));
    // too old by now, gone by now, or tombstoned
    EXPECT_TRUE(
        is(decide(request("b@bsf"), facts(), nafs(), kStart + 24h, false), RunBootstrapping{}));
    EXPECT_TRUE(
        is(decide(request("b@bsf"), std::nullopt, nafs(), kStart, false), RunBootstrapping{}));
    EXPECT_TRUE(is(decide(request("b@bsf"), facts(), nafs(), kStart, true), RunBootstrapping{}));
    // a bootstrapping between L2 and L3
    const auto changed = decide(request("old@bsf"), facts(), nafs(), kStart, false);
    ASSERT_TRUE(is(changed, BtidChanged{}));
    EXPECT_EQ(std::get<BtidChanged>(changed).b_tid, "b@bsf");
    // never for a NAF_ID that is not ours
    auto foreign = request("b@bsf");
    foreign.naf_id.fqdn = "other.example.org";
    EXPECT_TRUE(is(decide(foreign, facts(), nafs(), kStart, false), NafUnknown{}));
    foreign = request({});
    foreign.naf_id.ua = {1, 0, 0, 0, 2};
    EXPECT_TRUE(is(decide(foreign, std::nullopt, nafs(), kStart, false), NafUnknown{}));
}

TEST(Procedures, AgreedExpiryIsTheEarliest) {
    EXPECT_EQ(agreed_expiry(kStart + 1h, kStart + 2h, kStart), kStart + 1h);
    EXPECT_EQ(agreed_expiry(kStart + 2h, kStart + 1h, kStart), kStart + 1h);
    EXPECT_EQ(agreed_expiry(kStart + 1000h, kStart + 999h, kStart), kStart + 168h);
}

} // namespace
} // namespace mtkey::keys
