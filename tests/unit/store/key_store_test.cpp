// SPDX-License-Identifier: Apache-2.0
#include "store/key_store.hpp"

#include "fakes/manual_clock.hpp"

#include <gtest/gtest.h>

namespace mtkey::store {
namespace {

using namespace std::chrono_literals;

KeyRecord record(const std::string& device_id, std::uint8_t key = 1) {
    KeyRecord out;
    out.device_id = device_id;
    out.b_tid = "b@bsf";
    out.ks_local_mt.reveal_writable()[0] = key;
    return out;
}

TEST(MemoryKeyStore, KeepsOneRecordForEachDevice) {
    MemoryKeyStore store;
    ASSERT_TRUE(store.put(record("a", 1)));
    ASSERT_TRUE(store.put(record("b", 2)));
    ASSERT_TRUE(store.put(record("a", 3)));
    EXPECT_EQ(store.all().size(), 2U);
    ASSERT_NE(store.find("a"), nullptr);
    EXPECT_EQ(store.find("a")->ks_local_mt.reveal()[0], 3);
    EXPECT_EQ(store.find("c"), nullptr);
    const std::array going{std::string("a"), std::string("unknown")};
    ASSERT_TRUE(store.end(going, {{"a", "t"}}));
    EXPECT_EQ(store.find("a"), nullptr);
    EXPECT_NE(store.find("b"), nullptr);
    EXPECT_EQ(store.tombstones(), (std::vector<Tombstone>{{"a", "t"}}));
}

TEST(MemoryKeyStore, FullStoreEvictsNobody) {
    MemoryKeyStore store(2);
    ASSERT_TRUE(store.put(record("a")));
    ASSERT_TRUE(store.put(record("b")));
    EXPECT_EQ(store.put(record("c")).error().code, Errc::LimitExceeded);
    EXPECT_TRUE(store.put(record("b", 9))) << "a renewal needs no room";
    EXPECT_NE(store.find("a"), nullptr);
    EXPECT_EQ(store.all().size(), 2U);
}

TEST(KeyRecord, EndsByEitherClock) {
    fakes::ManualClock clock("2030-01-01T00:00:00Z");
    auto one = record("a");
    one.expires = clock.utc_now() - 1h; // the network's time may be another
    one.local_end = clock.utc_now() + 1h;
    one.deadline = clock.boot_now() + 1h;
    EXPECT_FALSE(one.expired(clock));
    clock.jump_utc(-10 * 365 * 24h); // set back: the other clock still counts
    clock.advance(1h);
    EXPECT_TRUE(one.expired(clock));
    EXPECT_TRUE(one.ended(clock));
    one.deadline = clock.boot_now() + 1h;
    EXPECT_FALSE(one.expired(clock));
    clock.set_utc("2030-01-01T01:00:00Z");
    EXPECT_TRUE(one.expired(clock));
    EXPECT_FALSE(one.ended(clock)) << "set forward deletes nothing";
}

TEST(KeyRecord, CloneIsWholeAndApart) {
    auto one = record("a", 7);
    one.th_est[3] = 5;
    one.est_id[2] = 6;
    one.uicc = "u";
    auto copy = one.clone();
    one.ks_local_mt.reveal_writable()[0] = 0;
    EXPECT_EQ(copy.ks_local_mt.reveal()[0], 7);
    EXPECT_EQ(copy.th_est, one.th_est);
    EXPECT_EQ(copy.est_id, one.est_id);
    EXPECT_EQ(copy.uicc, "u");
}

} // namespace
} // namespace mtkey::store
