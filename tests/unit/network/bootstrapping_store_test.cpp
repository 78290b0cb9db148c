// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/bootstrapping_store.hpp"

#include "fakes/manual_clock.hpp"

#include <gtest/gtest.h>
#include <string>

namespace mtkey::bsf {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

class BootstrappingStoreTest : public ::testing::Test {
protected:
    BootstrappingContext context(const std::string& b_tid, const std::string& impi,
                                 std::chrono::seconds lifetime) {
        BootstrappingContext out;
        out.b_tid = b_tid;
        out.impi = impi;
        out.created = clock.utc_now();
        out.expires = out.created + lifetime;
        out.deadline = clock.boot_now() + lifetime;
        return out;
    }
    fakes::ManualClock clock;
    BootstrappingStore store{clock};
};

TEST_F(BootstrappingStoreTest, EachContextEndsByItself) {
    ASSERT_TRUE(store.add(context("a", "x", hours(1))));
    clock.advance(minutes(59));
    ASSERT_TRUE(store.add(context("b", "x", hours(1))));
    EXPECT_TRUE(store.find("a"));
    clock.advance(minutes(1));
    EXPECT_FALSE(store.find("a"));
    EXPECT_TRUE(store.find("b"));
    ASSERT_TRUE(store.purge());
    EXPECT_EQ(store.count().value(), 1u);
}

TEST_F(BootstrappingStoreTest, ClockSetBackRevivesNothing) {
    ASSERT_TRUE(store.add(context("a", "x", hours(1))));
    clock.advance(hours(1));
    clock.jump_utc(-hours(24));
    EXPECT_FALSE(store.find("a"));
}

TEST_F(BootstrappingStoreTest, ClockSetForwardEndsIt) {
    ASSERT_TRUE(store.add(context("a", "x", hours(1))));
    clock.jump_utc(hours(2));
    EXPECT_FALSE(store.find("a"));
}

TEST_F(BootstrappingStoreTest, UnknownAndAlmostEqualNames) {
    ASSERT_TRUE(store.add(context("abc@bsf", "x", hours(1))));
    for (const auto* name : {"", "abc", "abc@bs", "abc@bsf ", "ABC@bsf"}) {
        EXPECT_FALSE(store.find(name)) << name;
    }
}

TEST_F(BootstrappingStoreTest, OneSubscriberKeepsItsLatest) {
    for (std::size_t i = 0; i < 3 * BootstrappingStore::kLimitPerSubscriber; ++i) {
        ASSERT_TRUE(store.add(context("t" + std::to_string(i), "x", hours(1))));
        clock.advance(std::chrono::seconds(1));
    }
    EXPECT_EQ(store.count().value(), BootstrappingStore::kLimitPerSubscriber);
    EXPECT_FALSE(store.find("t0"));
    EXPECT_FALSE(store.find("t" + std::to_string(2 * BootstrappingStore::kLimitPerSubscriber - 1)));
    EXPECT_TRUE(store.find("t" + std::to_string(2 * BootstrappingStore::kLimitPerSubscriber)));
}

TEST_F(BootstrappingStoreTest, ADayOfRunsFits) {
    for (int i = 0; i < 50; ++i) { // threat L3: what the MT allows itself
        ASSERT_TRUE(store.add(context("t" + std::to_string(i), "x", hours(24))));
    }
    EXPECT_TRUE(store.find("t0"));
}

TEST_F(BootstrappingStoreTest, FullRefusesUntilSomethingEnds) {
    for (std::size_t i = 0; i < BootstrappingStore::kLimit; ++i) {
        ASSERT_TRUE(store.add(context("t" + std::to_string(i), "s" + std::to_string(i), hours(1))));
    }
    const auto refused = store.add(context("new", "new", hours(1)));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::LimitExceeded);
    EXPECT_TRUE(store.find("t0"));
    clock.advance(hours(1));
    EXPECT_TRUE(store.add(context("new", "new", hours(1))));
    EXPECT_EQ(store.count().value(), 1u);
}

TEST_F(BootstrappingStoreTest, BtidOfAnotherIsLeftAlone) {
    auto first = context("a", "x", hours(1));
    first.tmpi = "t";
    first.ks.reveal_writable()[0] = 0x5A;
    ASSERT_TRUE(store.add(first));
    const auto refused = store.add(context("a", "y", hours(2)));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::IoFailed);
    const auto found = store.find("a");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->impi, "x");
    EXPECT_EQ(found->ks.reveal()[0], 0x5A);
    EXPECT_EQ(store.impi_of("t").value(), "x");
}

TEST_F(BootstrappingStoreTest, BtidOfTheSameSubscriberIsThatOfItsLatestRun) {
    ASSERT_TRUE(store.add(context("a", "x", hours(1))));
    auto second = context("a", "x", hours(2));
    second.ks.reveal_writable()[0] = 0x5A;
    ASSERT_TRUE(store.add(second));
    EXPECT_EQ(store.find("a")->ks.reveal()[0], 0x5A);
    EXPECT_EQ(store.find("a")->expires, second.expires);
    EXPECT_EQ(store.count().value(), 1u);
}

TEST_F(BootstrappingStoreTest, FindGivesACopyWithTheSameKs) {
    auto added = context("a", "x", hours(1));
    added.ks.reveal_writable()[0] = 0x5A;
    ASSERT_TRUE(store.add(std::move(added)));
    const auto found = store.find("a");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->ks.reveal()[0], 0x5A);
    EXPECT_TRUE(store.find("a")) << "still there";
}

} // namespace
} // namespace mtkey::bsf
