// SPDX-License-Identifier: Apache-2.0
// What the daemon does with its store: across restarts, reboots, and when the disk refuses.
#include "daemon/key_keeper.hpp"

#include "daemon/past_keeper.hpp"
#include "fakes/scratch_directory.hpp"
#include "unit/daemon/procedure_fixture.hpp"
#include "unit/store/machine.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace mtkey::daemon {
namespace {

namespace fs = std::filesystem;
using Status = local::ResumeAnswer::Status;

/// A disk that refuses what would change it.
struct Disk final : store::QuickFiles {
    int renameat(int directory, const char* from, const char* to) override {
        if (full) {
            errno = ENOSPC;
            return -1;
        }
        return FileOps::renameat(directory, from, to);
    }
    bool full = false;
};

/// One daemon after another over one state directory.
class KeyKeeperTest : public ::testing::Test {
protected:
    struct Life {
        explicit Life(KeyKeeperTest& test)
            : keeper(test.open().value()),
              mt(test.reactor, test.config, test.clock, test.random, test.card, *keeper) {
            MtEvents events;
            events.store_quarantined = [this] { ++quarantined; };
            mt.set_events(std::move(events));
        }
        std::unique_ptr<KeyKeeper> keeper;
        Mt mt;
        unsigned quarantined = 0;
    };
    KeyKeeperTest() {
        config.state_dir = scratch.path() / "state";
        config.runtime_dir = scratch.path() / "run";
        fs::create_directory(config.runtime_dir);
        card.answer_bootstrap(true, [](const Result<void>&) {});
        life.emplace(*this);
    }
    Result<std::unique_ptr<KeyKeeper>> open() {
        store::Keks keks;
        keks.origin = kek ? "file" : "none";
        if (kek) {
            keks.current = kek->clone();
        }
        if (next) {
            keks.next = next->clone();
        }
        return KeyKeeper::open(config, disk, clock, random, std::move(keks), boot_id);
    }
    void restart() {
        life.reset();
        life.emplace(*this);
    }
    void reboot(std::chrono::seconds off) {
        life.reset();
        clock.advance(off);
        clock.reboot();
        ++boot_id[0];
        fs::remove_all(config.runtime_dir);
        fs::create_directory(config.runtime_dir);
    }
    /// As confirm_pending() would make it.
    [[nodiscard]] store::KeyRecord record(const std::string& device_id = kDevice) const {
        auto out = store::record_of(device_id, 7, clock);
        out.uicc = card.state_.uicc;
        out.b_tid = card.state_.context->b_tid;
        return out;
    }
    [[nodiscard]] std::string key_state(const std::string& device_id = kDevice) const {
        const auto view = life->mt.device(device_id);
        return view ? view->key_state : "unknown device";
    }
    [[nodiscard]] fs::path store_file() const { return fs::path(config.state_dir) / "store"; }
    [[nodiscard]] fs::path memory_file() const { return fs::path(config.state_dir) / "bootstrap"; }

    fakes::ScratchDirectory scratch;
    Config config = make_config();
    fakes::ManualClock clock{"2030-01-01T00:00:00Z"};
    SystemRandom random;
    Disk disk;
    Reactor reactor; // not run
    FakeCard card{clock};
    std::optional<store::Kek> kek = store::kek_of(1);
    std::optional<store::Kek> next;
    BootId boot_id{1};
    std::optional<Life> life;
};

TEST_F(KeyKeeperTest, KeysAndTombstonesOutliveTheDaemon) {
    ASSERT_TRUE(life->keeper->put(record()));
    ASSERT_TRUE(life->keeper->put(record("urn:uuid:2")));
    restart();
    EXPECT_EQ(key_state(), "established");
    ASSERT_TRUE(life->mt.forget(kDevice));
    EXPECT_TRUE(card.not_resumed.empty()) << "its context may be resumed: the tombstone is there";
    restart();
    EXPECT_EQ(key_state(), "none");
    EXPECT_EQ(key_state("urn:uuid:2"), "established");
    EXPECT_TRUE(life->mt.tombstoned(kDevice));
    EXPECT_FALSE(life->mt.tombstoned("urn:uuid:2"));
    ASSERT_TRUE(life->mt.forget_all());
    restart();
    EXPECT_EQ(key_state("urn:uuid:2"), "none");
    EXPECT_TRUE(life->mt.tombstoned("urn:uuid:2"));
}

TEST_F(KeyKeeperTest, WithoutAKeyNothingIsWritten) {
    kek.reset();
    life.reset();
    life.emplace(*this);
    ASSERT_TRUE(life->keeper->put(record()));
    EXPECT_FALSE(fs::exists(store_file()));
    ASSERT_TRUE(life->mt.forget(kDevice));
    EXPECT_EQ(card.not_resumed, std::vector<std::string>{card.state_.context->b_tid})
        << "the tombstone ends with the daemon, and so must its context";
    ASSERT_TRUE(life->keeper->store({}));
    EXPECT_TRUE(fs::exists(memory_file()));
    EXPECT_EQ(life->keeper->rekey().error().code, Errc::NotReady);
    EXPECT_EQ(life->keeper->info().key_origin, "none");
}

TEST_F(KeyKeeperTest, KeysOfDevicesThatNoRuleAllowsEnd) {
    ASSERT_TRUE(life->keeper->put(record()));
    ASSERT_TRUE(life->keeper->put(record("urn:uuid:2")));
    life.reset();
    config.devices = {DeviceRule{"urn:uuid:2", true, "", ""}, DeviceRule{kDevice, false, "", ""}};
    life.emplace(*this);
    EXPECT_EQ(life->keeper->find(kDevice), nullptr);
    EXPECT_TRUE(life->mt.tombstoned(kDevice));
    EXPECT_EQ(key_state("urn:uuid:2"), "established");
    life.reset();
    config.devices = {DeviceRule{"urn:uuid:2", true, "usb0", ""}}; // not where it was confirmed
    life.emplace(*this);
    EXPECT_EQ(life->keeper->find("urn:uuid:2"), nullptr);
}

TEST_F(KeyKeeperTest, WhatCannotBeDeletedIsNotUsedAndTriedAgain) {
    ASSERT_TRUE(life->keeper->put(record()));
    disk.full = true;
    const auto refused = life->mt.forget(kDevice);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::StoreFailed);
    EXPECT_EQ(key_state(), "revoked");
    EXPECT_FALSE(card.not_resumed.empty()) << "nobody knows whether the tombstone is there later";
    const auto first = life->mt.next_end();
    ASSERT_TRUE(first);
    EXPECT_GE(*first, clock.boot_now() + 50s) << "it does not spin";
    EXPECT_LE(*first, clock.boot_now() + 61s);
    life->mt.sweep();
    EXPECT_EQ(key_state(), "revoked");
    clock.advance(*first - clock.boot_now());
    life->mt.sweep();
    EXPECT_GT(*life->mt.next_end(), clock.boot_now() + 50s) << "still full";
    disk.full = false;
    clock.advance(61s);
    life->mt.sweep();
    EXPECT_EQ(key_state(), "none");
    restart();
    EXPECT_EQ(life->keeper->find(kDevice), nullptr);
}

TEST_F(KeyKeeperTest, TombstoneThatCannotBeWrittenIsTriedAgain) {
    disk.full = true;
    card.not_resumed.clear();
    EXPECT_EQ(life->mt.forget(kDevice).error().code, Errc::StoreFailed) << "it has no key";
    disk.full = false;
    clock.advance(61s);
    life->mt.sweep();
    restart();
    EXPECT_TRUE(life->mt.tombstoned(kDevice));
}

TEST_F(KeyKeeperTest, ForgetAllReachesWhatIsOnItsWay) {
    ASSERT_TRUE(life->keeper->put(record("urn:left over")));
    ASSERT_TRUE(life->mt.forget_all());
    EXPECT_TRUE(life->keeper->all().empty());
    EXPECT_TRUE(life->mt.tombstoned("urn:uuid:2")) << "its key may be under way";
    restart();
    EXPECT_TRUE(life->mt.tombstoned("urn:uuid:2"));
}

TEST_F(KeyKeeperTest, ClockThatIsSetRightEndsTheWaiting) {
    ASSERT_TRUE(life->keeper->put(record()));
    reboot(1h);
    clock.jump_utc(-72h);
    life.emplace(*this);
    life->mt.sweep();
    ASSERT_TRUE(life->keeper->note_time()) << "a write does not move the mark";
    EXPECT_EQ(key_state(), "suspended");
    clock.advance(1h);
    clock.jump_utc(72h - 50min); // NTP
    life->mt.sweep();
    EXPECT_EQ(key_state(), "established");
    restart();
    EXPECT_EQ(key_state(), "established") << "and that is written";
}

TEST_F(KeyKeeperTest, NetworkIsAskedForTheTimeOnce) {
    ASSERT_TRUE(life->keeper->put(record()));
    life->mt.card_changed();
    EXPECT_EQ(card.bootstraps, 0U);
    reboot(1h);
    clock.jump_utc(-72h);
    life.emplace(*this);
    card.fail_bootstrap = Error{Errc::BsfUnreachable, 0, {}};
    life->mt.card_changed();
    life->mt.card_changed();
    EXPECT_EQ(card.forced, 1U);
    EXPECT_LE(*life->mt.next_end(), clock.boot_now() + 5min);
    card.fail_bootstrap.reset();
    clock.advance(5min);
    life->mt.sweep();
    life->mt.sweep();
    EXPECT_EQ(card.forced, 2U) << "a run that failed does not count";
}

TEST_F(KeyKeeperTest, ClosedStoreWritesNothing) {
    ASSERT_TRUE(life->keeper->put(record()));
    const auto before = fs::last_write_time(store_file());
    life->keeper->close();
    EXPECT_TRUE(life->keeper->all().empty());
    EXPECT_FALSE(life->keeper->store({}));
    EXPECT_FALSE(life->keeper->put(record("urn:uuid:2")));
    EXPECT_EQ(fs::last_write_time(store_file()), before);
    restart();
    EXPECT_EQ(key_state(), "established");
}

TEST_F(KeyKeeperTest, MissingKeyMakesTheBudgetBusy) {
    PastKeeper(*life->keeper, clock, "b001").note_time();
    kek.reset();
    restart();
    EXPECT_EQ(PastKeeper(*life->keeper, clock, "b001").origin(), PastKeeper::Origin::Lost);
}

TEST_F(KeyKeeperTest, WhatGuardsKeysMustBeWritten) {
    PastKeeper past(*life->keeper, clock, "b001");
    static_cast<void>(past.change([](auto& one) {
        one.anchor = keys::CardAnchor{std::string(64, 'a'), {}, "b@bsf", "b001"};
    }));
    disk.full = true;
    EXPECT_EQ(past.forget_anchor().error().code, Errc::StoreFailed);
    disk.full = false;
    EXPECT_TRUE(past.forget_anchor());
    restart();
    EXPECT_FALSE(PastKeeper(*life->keeper, clock, "b001").get().anchor);
    EXPECT_TRUE(life->keeper->newest_of_this_boot());
    reboot(1h);
    life.emplace(*this);
    EXPECT_FALSE(life->keeper->newest_of_this_boot());
}

TEST_F(KeyKeeperTest, EndIsAnEventAlsoOnTheDisk) {
    ASSERT_TRUE(life->keeper->put(record()));
    const auto generation = life->keeper->info().generation;
    clock.advance(24h);
    life->mt.sweep();
    EXPECT_EQ(life->keeper->find(kDevice), nullptr);
    EXPECT_EQ(life->keeper->info().generation, generation + 1);
    restart();
    EXPECT_EQ(life->keeper->find(kDevice), nullptr);
}

TEST_F(KeyKeeperTest, UnknownTimeWaitsForTheNetwork) {
    ASSERT_TRUE(life->keeper->put(record()));
    reboot(1h);
    clock.jump_utc(-72h);
    life.emplace(*this);
    EXPECT_TRUE(life->keeper->info().time_unknown);
    EXPECT_EQ(key_state(), "suspended");
    // The network's time is another: whose clock is right nobody says.
    auto& context = *card.state_.context;
    context.b_tid = "second@bsf";
    context.network_ahead = 72h;
    life->mt.card_changed();
    EXPECT_EQ(key_state(), "suspended");
    clock.jump_utc(72h);
    context.b_tid = "third@bsf";
    context.network_ahead.reset();
    life->mt.card_changed();
    EXPECT_EQ(key_state(), "suspended") << "a BSF that proves nothing";
    context.b_tid = "fourth@bsf";
    context.network_ahead = 3s;
    life->mt.card_changed();
    EXPECT_EQ(key_state(), "established");
    EXPECT_FALSE(life->keeper->info().time_unknown);
}

TEST_F(KeyKeeperTest, WhatTheUiccContradictsIsSetAside) {
    ASSERT_TRUE(life->keeper->put(record()));
    ASSERT_TRUE(life->keeper->distrust(Error{Errc::BtidStale, 0, "the UICC says another"}));
    life->mt.store_emptied();
    EXPECT_EQ(life->quarantined, 1U);
    EXPECT_EQ(key_state(), "none");
    EXPECT_EQ(life->keeper->info().distrusted->code, Errc::BtidStale);
    EXPECT_TRUE(fs::exists(fs::path(config.state_dir) / life->keeper->info().kept_as));
    EXPECT_TRUE(life->keeper->verify()) << "an empty one is in its place";
    restart();
    EXPECT_FALSE(life->keeper->info().distrusted);
    EXPECT_EQ(life->keeper->find(kDevice), nullptr);
}

TEST_F(KeyKeeperTest, MemoryOfBootstrappingsIsSealedToo) {
    {
        PastKeeper past(*life->keeper, clock, "b001");
        EXPECT_EQ(past.origin(), PastKeeper::Origin::FirstStart);
        past.change([](auto& one) { one.without_gba = {std::string(64, 'a')}; });
    }
    EXPECT_FALSE(fs::exists(memory_file()));
    restart();
    EXPECT_EQ(PastKeeper(*life->keeper, clock, "b001").get().without_gba.size(), 1U);
    life.reset();
    { // altered
        fs::resize_file(store_file(), fs::file_size(store_file()) - 1);
    }
    life.emplace(*this);
    EXPECT_EQ(PastKeeper(*life->keeper, clock, "b001").origin(), PastKeeper::Origin::Lost);
}

TEST_F(KeyKeeperTest, WhatWasRememberedWithoutAKeyIsTakenOver) {
    kek.reset();
    life.reset();
    life.emplace(*this);
    PastKeeper(*life->keeper, clock, "b001").change([](auto& one) {
        one.without_gba = {std::string(64, 'a')};
    });
    ASSERT_TRUE(fs::exists(memory_file()));
    kek = store::kek_of(1);
    restart();
    PastKeeper past(*life->keeper, clock, "b001");
    EXPECT_EQ(past.origin(), PastKeeper::Origin::Remembered);
    EXPECT_EQ(past.get().without_gba.size(), 1U);
    past.note_time();
    EXPECT_FALSE(fs::exists(memory_file())) << "one place for it";
    restart();
    EXPECT_EQ(PastKeeper(*life->keeper, clock, "b001").get().without_gba.size(), 1U);
}

TEST_F(KeyKeeperTest, GoesOverToTheNextKey) {
    ASSERT_TRUE(life->keeper->put(record()));
    EXPECT_EQ(life->keeper->rekey().error().code, Errc::NotReady);
    next = store::kek_of(2);
    restart();
    EXPECT_TRUE(life->keeper->info().next_key);
    disk.full = true;
    EXPECT_EQ(life->keeper->rekey().error().code, Errc::StoreFailed);
    disk.full = false;
    restart();
    ASSERT_TRUE(life->keeper->rekey());
    ASSERT_TRUE(life->keeper->rekey()) << "and once more";
    restart();
    EXPECT_EQ(key_state(), "established");
    kek = store::kek_of(2);
    next.reset();
    restart();
    EXPECT_EQ(key_state(), "established");
}

/// Threats L10, scorecard 3.8.
TEST_F(KeyKeeperTest, FullStoreEvictsNobodyHoweverManyCome) {
    for (unsigned i = 0; i < store::kMostRecords; ++i) {
        ASSERT_TRUE(life->keeper->put(record("urn:confirmed:" + std::to_string(i))));
    }
    const auto generation = life->keeper->info().generation;
    for (unsigned i = 0; i < 100'000; ++i) {
        ASSERT_EQ(life->keeper->put(record("urn:late:" + std::to_string(i))).error().code,
                  Errc::LimitExceeded);
    }
    EXPECT_EQ(life->keeper->all().size(), store::kMostRecords);
    EXPECT_EQ(life->keeper->info().generation, generation) << "nor is anything written for them";
    for (unsigned i = 0; i < store::kMostRecords; ++i) {
        EXPECT_NE(life->keeper->find("urn:confirmed:" + std::to_string(i)), nullptr);
    }
}

TEST_F(KeyKeeperTest, LastUseIsWrittenWithTheNextChange) {
    ASSERT_TRUE(life->keeper->put(record()));
    clock.advance(1h);
    life->mt.used(kDevice);
    EXPECT_EQ(life->keeper->find(kDevice)->last_used, clock.utc_now());
    ASSERT_TRUE(life->keeper->note_time());
    restart();
    EXPECT_EQ(life->keeper->find(kDevice)->last_used, clock.utc_now());
}

} // namespace
} // namespace mtkey::daemon
