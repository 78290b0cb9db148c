// SPDX-License-Identifier: Apache-2.0
#include "keys/pending.hpp"

#include <gtest/gtest.h>

namespace mtkey::keys {
namespace {

using namespace std::chrono_literals;
const BootTime kNow{1h};

Pending pending(int number, BootTime ends = kNow + 1h) {
    Pending out;
    out.est_id[0] = static_cast<std::uint8_t>(number);
    out.est_id[1] = static_cast<std::uint8_t>(number >> 8);
    out.device_id = "urn:test:" + std::to_string(number);
    out.b_tid = "b@bsf";
    out.uicc = "card";
    out.ends = ends;
    return out;
}

TEST(PendingTable, OneForEachDevice) {
    PendingTable table;
    table.put(pending(1));
    auto again = pending(2);
    again.device_id = "urn:test:1";
    table.put(std::move(again));
    EXPECT_EQ(table.size(), 1U);
    EXPECT_EQ(table.find(pending(1).est_id, kNow), nullptr);
    ASSERT_NE(table.find(pending(2).est_id, kNow), nullptr);
    EXPECT_NE(table.find_device("urn:test:1", kNow), nullptr);
    table.erase(pending(2).est_id);
    EXPECT_EQ(table.find_device("urn:test:1", kNow), nullptr);
}

TEST(PendingTable, EndsByTime) {
    PendingTable table;
    table.put(pending(1, kNow + 10s));
    EXPECT_NE(table.find(pending(1).est_id, kNow + 10s - 1ms), nullptr);
    EXPECT_EQ(table.find_device("urn:test:1", kNow + 10s), nullptr);
    EXPECT_EQ(table.find(pending(1).est_id, kNow + 10s), nullptr);
    EXPECT_EQ(table.size(), 0U) << "wiped, not only hidden";
}

TEST(PendingTable, TellsWhatEndsAndWhen) {
    PendingTable table;
    EXPECT_FALSE(table.next_end());
    table.put(pending(1, kNow + 10s));
    table.put(pending(2, kNow + 5s));
    EXPECT_EQ(table.next_end(), kNow + 5s);
    EXPECT_TRUE(table.expire(kNow + 5s - 1ms).empty());
    EXPECT_EQ(table.expire(kNow + 5s), std::vector<std::string>{"urn:test:2"});
    EXPECT_EQ(table.next_end(), kNow + 10s);
}

TEST(PendingTable, OldestMakesRoom) {
    PendingTable table;
    for (int i = 0; i < 300; ++i) {
        table.put(pending(i));
    }
    EXPECT_EQ(table.size(), PendingTable::kMost);
    EXPECT_EQ(table.find_device("urn:test:43", kNow), nullptr);
    EXPECT_NE(table.find_device("urn:test:44", kNow), nullptr);
    EXPECT_NE(table.find_device("urn:test:299", kNow), nullptr);
}

TEST(PendingTable, AnotherUiccTakesItsKeysAway) {
    PendingTable table;
    table.put(pending(1));
    auto other = pending(2);
    other.uicc = "other";
    table.put(std::move(other));
    table.erase_other_uicc("other");
    EXPECT_EQ(table.find_device("urn:test:1", kNow), nullptr);
    EXPECT_NE(table.find_device("urn:test:2", kNow), nullptr);
}

TEST(Tombstones, HoldWithinOneEpoch) {
    Tombstones stones;
    stones.add("d1", "b1");
    stones.add("d1", "b1");
    EXPECT_TRUE(stones.contains("d1", "b1"));
    EXPECT_FALSE(stones.contains("d1", "b2"));
    EXPECT_FALSE(stones.contains("d2", "b1"));
    stones.keep_only("b1");
    EXPECT_TRUE(stones.contains("d1", "b1"));
    stones.keep_only("b2");
    EXPECT_FALSE(stones.contains("d1", "b1"));
}

TEST(Tombstones, FullMeansEverybody) {
    Tombstones stones;
    stones.add("d", "other");
    for (int i = 0; i < 1023; ++i) {
        stones.add(std::to_string(i), "b");
    }
    EXPECT_EQ(stones.all().size(), 1024U);
    EXPECT_FALSE(stones.contains("another", "b"));
    stones.add("one too many", "b");
    EXPECT_TRUE(stones.contains("another", "b")) << "fails closed";
    EXPECT_EQ(stones.all().size(), 2U) << "one says it for all of them";
    EXPECT_TRUE(stones.contains("d", "other"));
    EXPECT_FALSE(stones.contains("another", "other"));
    stones.keep_only("b");
    EXPECT_TRUE(stones.contains("another", "b")) << "its epoch goes on";
    stones.keep_only("newest");
    EXPECT_FALSE(stones.contains("another", "b"));
    for (int i = 0; i < 1024; ++i) {
        stones.add(std::to_string(i), "b");
    }
    stones.add("first", "new"); // the list is full of others
    EXPECT_TRUE(stones.contains("another", "new"));
}

} // namespace
} // namespace mtkey::keys
