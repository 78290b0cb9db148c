// SPDX-License-Identifier: Apache-2.0
// Power may go at any moment: every state that the calls of a commit let the disk have is started
// from. Torn: what the start finds is not to be believed. Lost: what was acknowledged is not there.
#include "disk_model.hpp"
#include "machine.hpp"

#include <gtest/gtest.h>

namespace mtkey::store {
namespace {

namespace fs = std::filesystem;
using Keys = std::map<std::string, int>;

struct Verdict {
    std::size_t states = 0;
    std::size_t torn = 0;
    std::size_t lost = 0;
};

/// What a start makes of one image of the disk, after the reboot that a power cut is.
std::optional<Keys> started_from(const DiskModel::Image& image) {
    Machine after;
    ++after.boot_id[0];
    for (const auto& [name, content] : image) {
        Machine::write(after.disk() / name, content);
    }
    const auto store = after.start();
    if (store->report().distrusted) {
        return std::nullopt;
    }
    auto found = keys_of(*store);
    // Whatever lies about there, the store goes on.
    EXPECT_TRUE(store->put(record_of("later", 77, after.clock)));
    found["later"] = 77;
    EXPECT_EQ(keys_of(*after.start()), found);
    found.erase("later");
    return found;
}

/// A life of one store under the eyes of the model: puts, renewals, an erasure.
/// `octets` are remembered besides: how many sectors a file has.
Verdict live(Mistake mistake, std::size_t octets) {
    Machine machine;
    DiskModel disk(machine.disk(), mistake);
    Verdict verdict;
    std::map<DiskModel::Image, std::optional<Keys>> known;
    Keys acknowledged;
    std::optional<Keys> in_flight;
    const auto judge = [&] {
        disk.each_state([&](const DiskModel::Image& image) {
            ++verdict.states;
            const auto [at, fresh] = known.try_emplace(image);
            if (fresh) {
                at->second = started_from(image);
            }
            const auto& found = at->second;
            if (!found) {
                ++verdict.torn;
            } else if (*found != acknowledged && (!in_flight || *found != *in_flight)) {
                ++verdict.lost;
            }
        });
    };
    const auto store = machine.try_start(disk).value();
    disk.on_call(judge);
    const auto change = [&](Keys wanted, const auto& operation) {
        in_flight = std::move(wanted);
        ASSERT_TRUE(operation());
        acknowledged = *std::exchange(in_flight, std::nullopt);
        judge();
    };
    change({}, [&] {
        return store->remember({.uicc = {}, .bootstrap = Bytes(octets), .tombstones = {}});
    });
    change({{"a", 1}}, [&] { return store->put(record_of("a", 1, machine.clock)); });
    change({{"a", 2}}, [&] { return store->put(record_of("a", 2, machine.clock)); });
    change({{"a", 2}, {"b", 3}}, [&] { return store->put(record_of("b", 3, machine.clock)); });
    if (mistake != Mistake::InPlace) { // which cannot make a file shorter
        change({{"b", 3}}, [&] { return store->erase("a"); });
    }
    if (mistake == Mistake::None) { // without the folder's sync too many states have come together
        change({{"b", 3}, {"b?", 4}},
               [&] { return store->put(pending_of("b", 4, machine.clock)); });
        change({{"b", 4}}, [&] { return store->confirm(record_of("b", 4, machine.clock)); });
    }
    return verdict;
}

TEST(PowerLoss, NoStateIsTornAndNothingAcknowledgedIsLost) {
    const auto verdict = live(Mistake::None, 2700);
    RecordProperty("states", static_cast<int>(verdict.states));
    EXPECT_GT(verdict.states, 1000U);
    EXPECT_EQ(verdict.torn, 0U);
    EXPECT_EQ(verdict.lost, 0U);
}

TEST(PowerLoss, TheModelFindsAMissingFdatasync) {
    EXPECT_GT(live(Mistake::NoFdatasync, 400).torn, 20U);
}

TEST(PowerLoss, TheModelFindsAMissingSyncOfTheFolder) {
    const auto verdict = live(Mistake::NoDirectorySync, 400);
    EXPECT_EQ(verdict.torn, 0U);
    EXPECT_GE(verdict.lost, 4U) << "each change, in its last moment";
}

TEST(PowerLoss, TheModelFindsAWriterInPlace) {
    EXPECT_GT(live(Mistake::InPlace, 400).torn, 20U);
}

} // namespace
} // namespace mtkey::store
