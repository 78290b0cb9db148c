// SPDX-License-Identifier: Apache-2.0
#include "store/sealed_store.hpp"

#include "fakes/fixed_random.hpp"
#include "machine.hpp"
#include "store/generation.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/crypto.h>
#include <sys/stat.h>

namespace mtkey::store {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using ::testing::HasSubstr;
using Keys = std::map<std::string, int>;
namespace fs = std::filesystem;

class SealedStore : public ::testing::Test {
protected:
    KeyRecord record(const std::string& device_id, std::uint8_t key,
                     std::chrono::seconds life = 24h) {
        return record_of(device_id, key, machine.clock, life);
    }
    /// What a start finds wrong; the name of the error.
    std::string distrusted() {
        const auto store = machine.start();
        const auto& report = store->report();
        if (!report.distrusted) {
            return "";
        }
        EXPECT_TRUE(store->all().empty());
        EXPECT_EQ(store->memory(), Memory{});
        // It works again at once, and the next start finds nothing wrong.
        EXPECT_TRUE(store->put(record("new", 99)));
        const auto again = machine.start();
        EXPECT_FALSE(again->report().distrusted) << describe(*again->report().distrusted);
        EXPECT_EQ(keys_of(*again), (Keys{{"new", 99}}));
        return std::string(info(report.distrusted->code).name);
    }
    std::vector<std::string> names(const fs::path& folder) const {
        std::vector<std::string> out;
        for (const auto& entry : fs::directory_iterator(folder)) {
            out.push_back(entry.path().filename());
        }
        std::ranges::sort(out);
        return out;
    }
    Machine machine;
};

TEST_F(SealedStore, OutlivesTheProgram) {
    {
        const auto store = machine.start();
        EXPECT_TRUE(store->persistent());
        EXPECT_FALSE(store->report().distrusted);
        ASSERT_TRUE(store->put(record("b", 2)));
        ASSERT_TRUE(store->put(record("a", 1)));
        ASSERT_TRUE(store->put(record("c", 3)));
        ASSERT_TRUE(store->put(record("a", 4)));
        ASSERT_TRUE(store->erase("b"));
        EXPECT_EQ(store->erase("b").error().code, Errc::NotFound);
        ASSERT_TRUE(
            store->remember({.uicc = "u", .bootstrap = {1, 2}, .tombstones = {{"b", "t"}}}));
    }
    const auto store = machine.start();
    EXPECT_EQ(keys_of(*store), (Keys{{"a", 4}, {"c", 3}}));
    EXPECT_EQ(store->memory(),
              (Memory{.uicc = "u", .bootstrap = {1, 2}, .tombstones = {{"b", "t"}}}));
    const auto* found = store->find("a");
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(store->find("b"), nullptr);
    const auto wanted = record("a", 4);
    EXPECT_TRUE(found->key_id == test_key_id(wanted.ks_local_mt, wanted.th_est)) << "derived";
    EXPECT_EQ(found->local_end, wanted.local_end);
    EXPECT_EQ(found->deadline, wanted.deadline) << "the same boot";
    EXPECT_TRUE(found->usable(machine.clock));
    EXPECT_EQ(names(machine.disk()), (std::vector<std::string>{"store", "store.lock"}));
    struct stat status{};
    ASSERT_EQ(::stat(machine.store_path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(SealedStore, FullStoreEvictsNobody) {
    const auto store = machine.start();
    for (std::size_t i = 0; i < kMostRecords; ++i) {
        ASSERT_TRUE(store->put(record("urn:" + std::to_string(i), 1)));
    }
    const auto before = machine.file();
    for (int i = 0; i < 10'000; ++i) {
        ASSERT_EQ(store->put(record("urn:x" + std::to_string(i), 1)).error().code,
                  Errc::LimitExceeded);
    }
    EXPECT_EQ(machine.file(), before) << "a refusal writes nothing";
    EXPECT_TRUE(store->put(record("urn:7", 9))) << "a renewal needs no room";
    EXPECT_EQ(machine.start()->all().size(), kMostRecords);
}

TEST_F(SealedStore, FullStoreFitsIntoTheSecureHeap) {
    ASSERT_TRUE(init_secure_heap());
    const auto before = CRYPTO_secure_used();
    const auto store = machine.start();
    for (std::size_t i = 0; i < kMostRecords; ++i) {
        ASSERT_TRUE(store->put(record("urn:" + std::to_string(i), 1)));
    }
    const auto again = machine.start(); // both at once, and the plaintext on its way
    const auto* found = again->find("urn:200");
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(CRYPTO_secure_allocated(found->ks_local_mt.reveal().data()), 1);
    EXPECT_EQ(CRYPTO_secure_allocated(found->key_id.reveal().data()), 1);
    EXPECT_LT(CRYPTO_secure_used() - before, 40U * 1024) << "of 256 KiB for the whole program";
}

TEST_F(SealedStore, RefusesWhatNoFileHolds) {
    const auto store = machine.start();
    auto bad = record("a", 1);
    bad.naf_ua.clear();
    EXPECT_EQ(store->put(std::move(bad)).error().code, Errc::InvalidArgument);
    EXPECT_EQ(
        store->remember({.uicc = {}, .bootstrap = Bytes(kMostBootstrap + 1), .tombstones = {}})
            .error()
            .code,
        Errc::InvalidArgument);
    EXPECT_TRUE(store->all().empty());
    EXPECT_FALSE(fs::exists(machine.store_path()));
}

TEST_F(SealedStore, WithoutAKeyNothingIsWritten) {
    {
        const auto store = machine.start();
        ASSERT_TRUE(store->put(record("a", 1)));
    }
    const auto before = machine.file();
    machine.kek.reset();
    {
        const auto store = machine.start();
        EXPECT_FALSE(store->persistent());
        EXPECT_TRUE(store->all().empty());
        ASSERT_TRUE(store->put(record("b", 2)));
        EXPECT_EQ(keys_of(*store), (Keys{{"b", 2}}));
        EXPECT_EQ(store->rekey(kek_of(3)).error().code, Errc::NotReady);
    }
    EXPECT_EQ(machine.file(), before) << "nor is a file touched that waits for its key";
    machine.kek = kek_of(0x11);
    EXPECT_EQ(keys_of(*machine.start()), (Keys{{"a", 1}}));
}

TEST_F(SealedStore, ErasesManyAtOnce) {
    const auto store = machine.start();
    for (const char* name : {"a", "b", "c", "d"}) {
        ASSERT_TRUE(store->put(record(name, 1)));
    }
    const auto generation = store->generation();
    const std::vector<std::string> going{"d", "b", "unknown"};
    const std::vector<Tombstone> tombstones{{"b", "t"}, {"d", "t"}};
    ASSERT_TRUE(store->end(going, tombstones));
    EXPECT_EQ(store->generation(), generation + 1) << "one write";
    const auto again = machine.start();
    EXPECT_EQ(keys_of(*again), (Keys{{"a", 1}, {"c", 1}}));
    EXPECT_EQ(again->tombstones(), tombstones);
    ASSERT_TRUE(again->remember(again->memory()));
    ASSERT_TRUE(again->end(going, tombstones));
    EXPECT_EQ(again->generation(), generation + 1) << "nothing new, nothing written";
}

TEST_F(SealedStore, ConfirmingIsOneChange) {
    const auto store = machine.start();
    ASSERT_TRUE(store->put(record("b", 1)));
    EXPECT_EQ(store->confirm(record("a", 2)).error().code, Errc::NotFound);
    ASSERT_TRUE(store->put(pending_of("a", 2, machine.clock)));
    ASSERT_TRUE(store->put(pending_of("a", 3, machine.clock)));
    EXPECT_EQ(store->find("a"), nullptr);
    EXPECT_FALSE(store->find_pending("a")->usable(machine.clock));
    EXPECT_EQ(keys_of(*machine.start()), (Keys{{"a?", 3}, {"b", 1}}));
    EXPECT_EQ(store->confirm(pending_of("a", 3, machine.clock)).error().code, Errc::NotFound);
    auto generation = store->generation();
    ASSERT_TRUE(store->confirm(record("a", 3)));
    EXPECT_EQ(store->generation(), ++generation);
    EXPECT_EQ(keys_of(*machine.start()), (Keys{{"a", 3}, {"b", 1}}));

    ASSERT_TRUE(store->put(pending_of("a", 4, machine.clock)));
    EXPECT_EQ(keys_of(*machine.start()), (Keys{{"a", 3}, {"a?", 4}, {"b", 1}})) << "beside it";
    ++generation;
    ASSERT_TRUE(store->confirm(record("a", 4)));
    EXPECT_EQ(store->generation(), ++generation);
    EXPECT_EQ(keys_of(*machine.start()), (Keys{{"a", 4}, {"b", 1}}));
}

TEST_F(SealedStore, ConfirmingNeedsNoRoom) {
    machine.limit = 2;
    const auto store = machine.start();
    ASSERT_TRUE(store->put(record("a", 1)));
    ASSERT_TRUE(store->put(pending_of("a", 2, machine.clock)));
    EXPECT_EQ(store->put(record("b", 1)).error().code, Errc::LimitExceeded);
    EXPECT_TRUE(store->confirm(record("a", 2)));
    EXPECT_TRUE(store->put(record("b", 1)));
}

TEST_F(SealedStore, ErasesPendingKeysWithTheirDeviceOrAlone) {
    const auto store = machine.start();
    for (const char* name : {"a", "b"}) {
        ASSERT_TRUE(store->put(record(name, 1)));
        ASSERT_TRUE(store->put(pending_of(name, 2, machine.clock)));
    }
    const auto of_b = [](const KeyRecord& one) { return one.slot() == std::pair("b"sv, true); };
    ASSERT_TRUE(store->erase_if(of_b));
    EXPECT_EQ(keys_of(*machine.start()), (Keys{{"a", 1}, {"a?", 2}, {"b", 1}}));
    const auto generation = store->generation();
    ASSERT_TRUE(store->erase_if(of_b));
    EXPECT_EQ(store->generation(), generation) << "nothing goes, nothing is written";
    ASSERT_TRUE(store->erase("a"));
    EXPECT_EQ(keys_of(*machine.start()), (Keys{{"b", 1}}));
    ASSERT_TRUE(store->put(pending_of("c", 3, machine.clock)));
    ASSERT_TRUE(store->erase("c"));
    EXPECT_EQ(store->erase("c").error().code, Errc::NotFound);
}

TEST_F(SealedStore, ErasureThatFailsLeavesAPendingKeyWhatItIs) {
    const auto store = machine.start();
    ASSERT_TRUE(store->put(record("a", 1)));
    ASSERT_TRUE(store->put(pending_of("a", 2, machine.clock)));
    fs::create_directory(machine.disk() / "store.tmp"); // in the way, of root as well
    EXPECT_EQ(store->erase("a").error().code, Errc::StoreFailed);
    ASSERT_NE(store->find("a"), nullptr);
    EXPECT_EQ(store->find("a")->state, KeyState::Revoked);
    ASSERT_NE(store->find_pending("a"), nullptr);
    fs::remove(machine.disk() / "store.tmp");
    ASSERT_TRUE(store->put(record("b", 3))) << "both can be written";
    EXPECT_EQ(keys_of(*machine.start()), (Keys{{"a?", 2}, {"b", 3}}));
}

// ---- more than one program

TEST_F(SealedStore, OneProgramAtATime) {
    FileOps files;
    auto first = machine.try_start(files);
    ASSERT_TRUE(first);
    const auto second = machine.try_start(files);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::InProgress);
    EXPECT_THAT(second.error().context, HasSubstr(machine.disk() / "store.lock"));
    ASSERT_TRUE((*first)->put(record("a", 1)));
    ASSERT_TRUE((*first)->distrust(Error{Errc::Malformed, 0, "old"}));
    EXPECT_EQ(machine.try_start(files).error().code, Errc::InProgress)
        << "whatever becomes of the file";
    first->reset();
    EXPECT_TRUE(machine.try_start(files));
    struct stat status{};
    ASSERT_EQ(::stat((machine.disk() / "store.lock").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(SealedStore, LockThatIsALinkIsRefused) {
    fs::create_symlink("elsewhere", machine.disk() / "store.lock");
    EXPECT_EQ(machine.try_start(machine.quick).error().code, Errc::StoreFailed);
    EXPECT_FALSE(fs::exists(machine.disk() / "elsewhere"));
}

TEST_F(SealedStore, ReadingGoesOnBesideTheWriter) {
    FileOps files;
    const auto writer = machine.try_start(files).value();
    ASSERT_TRUE(writer->put(record("a", 1)));
    machine.access = Access::Read;
    const auto reader = machine.try_start(files).value();
    EXPECT_TRUE(reader->persistent());
    EXPECT_EQ(keys_of(*reader), (Keys{{"a", 1}}));
    ASSERT_TRUE(writer->put(record("a", 2)));
    EXPECT_EQ(keys_of(*machine.try_start(files).value()), (Keys{{"a", 2}}));
    const auto file = machine.file();
    EXPECT_EQ(reader->put(record("b", 1)).error().code, Errc::NotReady);
    EXPECT_EQ(reader->erase("a").error().code, Errc::NotReady);
    EXPECT_EQ(reader->note_time().error().code, Errc::NotReady);
    EXPECT_EQ(reader->rekey(kek_of(3)).error().code, Errc::NotReady);
    EXPECT_EQ(machine.file(), file);
}

TEST_F(SealedStore, ReadingChangesNothing) {
    machine.access = Access::Read;
    EXPECT_TRUE(machine.start()->all().empty());
    EXPECT_TRUE(fs::is_empty(machine.disk())) << "nor is a lock file made";
    machine.access = Access::Change;
    ASSERT_TRUE(machine.start()->put(record("a", 1)));
    fs::remove(machine.run() / "generation");
    machine.access = Access::Read;
    EXPECT_EQ(keys_of(*machine.start()), (Keys{{"a", 1}}));
    EXPECT_TRUE(fs::is_empty(machine.run())) << "the floor is the writer's";

    const Bytes bad{1, 2, 3};
    machine.set_file(bad);
    {
        const auto store = machine.start();
        ASSERT_TRUE(store->report().distrusted);
        EXPECT_EQ(store->report().kept_as, "");
        EXPECT_TRUE(store->all().empty());
        ASSERT_TRUE(store->distrust(Error{Errc::Malformed, 0, "again"}));
        EXPECT_EQ(machine.file(), bad) << "it stays where it is";
    }
    machine.access = Access::Change;
    EXPECT_EQ(machine.start()->report().kept_as, "store.bad-1");
    EXPECT_EQ(machine.start()->report().kept_as, "") << "that start was well";
    machine.access = Access::Read;
    EXPECT_EQ(machine.start()->report().kept_as, "store.bad-1") << "but it lies there";
    EXPECT_FALSE(machine.start()->report().distrusted);
}

// ---- what is not believed

TEST_F(SealedStore, FilesThatAreNotBelieved) {
    struct Row {
        const char* what;
        const char* error;
        void (*spoil)(Machine&);
    };
    const std::array rows{
        Row{"a bit", "Malformed",
            [](Machine& m) {
                auto file = m.file();
                file[file.size() / 2] ^= 1;
                m.set_file(file);
            }},
        Row{"nothing in it", "Malformed", [](Machine& m) { m.set_file({}); }},
        Row{"too large", "LimitExceeded", [](Machine& m) { m.set_file(Bytes(kStoreLimit + 1)); }},
        Row{"another host's", "NotFound",
            [](Machine& m) {
                m.kek = kek_of(0x22);
                m.reboot();
            }},
        Row{"open to others", "NotAuthorized",
            [](Machine& m) { fs::permissions(m.store_path(), fs::perms(0640)); }},
        Row{"a link", "InvalidArgument",
            [](Machine& m) {
                fs::rename(m.store_path(), m.disk() / "elsewhere");
                fs::create_symlink("elsewhere", m.store_path());
            }},
        Row{"a folder", "InvalidArgument",
            [](Machine& m) {
                fs::remove(m.store_path());
                fs::create_directory(m.store_path());
            }},
        Row{"a pipe", "InvalidArgument",
            [](Machine& m) {
                fs::remove(m.store_path());
                ASSERT_EQ(::mkfifo(m.store_path().c_str(), 0600), 0);
            }},
        Row{"gone", "NotFound", [](Machine& m) { fs::remove(m.store_path()); }},
        Row{"generation file altered", "Malformed",
            [](Machine& m) {
                auto floor = Machine::read(m.run() / "generation");
                floor[30] ^= 1;
                Machine::write(m.run() / "generation", floor);
            }},
        Row{"generation file set back", "Malformed",
            [](Machine& m) {
                const auto old = m.file();
                ASSERT_TRUE(m.start()->put(record_of("a", 2, m.clock)));
                m.set_file(old);
                auto floor = Machine::read(m.run() / "generation");
                std::fill(floor.begin() + 24, floor.begin() + 32, std::uint8_t{0});
                Machine::write(m.run() / "generation", floor);
            }},
        Row{"generation file of nobody knows who", "NotAuthorized",
            [](Machine& m) { fs::permissions(m.run() / "generation", fs::perms(0666)); }},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.what);
        ASSERT_TRUE(machine.start()->put(record("a", 1)));
        row.spoil(machine);
        EXPECT_EQ(distrusted(), row.error);
        machine.kek = kek_of(0x11);
        machine.reboot();
        fs::remove_all(machine.disk());
        fs::create_directory(machine.disk());
    }
}

TEST_F(SealedStore, WhatIsSetAsideIsKeptOnce) {
    std::string last;
    for (int i = 1; i <= 12; ++i) {
        ASSERT_TRUE(machine.start()->put(record("a", 1)));
        const Bytes bad{static_cast<std::uint8_t>(i)};
        machine.set_file(bad);
        const auto store = machine.start();
        ASSERT_TRUE(store->report().distrusted);
        last = store->report().kept_as;
        EXPECT_EQ(names(machine.disk()), (std::vector<std::string>{"store", last, "store.lock"}));
        EXPECT_EQ(Machine::read(machine.disk() / last), bad);
    }
    EXPECT_THAT(last, HasSubstr("store.bad-"));
}

TEST_F(SealedStore, FoldersOthersMayWriteToAreNotUsed) {
    fs::permissions(machine.disk(), fs::perms(0777));
    EXPECT_EQ(machine.try_start(machine.quick).error().code, Errc::StoreFailed);
    fs::permissions(machine.disk(), fs::perms(0700));
    fs::permissions(machine.run(), fs::perms(0777));
    EXPECT_EQ(machine.try_start(machine.quick).error().code, Errc::StoreFailed);
    fs::remove_all(machine.run());
    EXPECT_EQ(machine.try_start(machine.quick).error().code, Errc::StoreFailed);
}

// ---- old copies (secrets.md D5)

TEST_F(SealedStore, OlderCopyInTheSameBootIsRefused) {
    const auto store = machine.start();
    std::vector<Bytes> copies;
    for (std::uint8_t i = 0; i < 10; ++i) {
        ASSERT_TRUE(store->put(record("a", i)));
        copies.push_back(machine.file());
    }
    for (std::size_t i = 0; i + 1 < copies.size(); ++i) {
        const auto floor = Machine::read(machine.run() / "generation");
        machine.set_file(copies[i]);
        EXPECT_EQ(distrusted(), "Malformed") << i;
        Machine::write(machine.run() / "generation", floor);
    }
    machine.set_file(copies.back());
    EXPECT_EQ(distrusted(), "");
}

TEST_F(SealedStore, OlderCopyIsRefusedThoughThisRunOnlyRead) {
    Bytes old;
    {
        const auto store = machine.start();
        ASSERT_TRUE(store->put(record("a", 1)));
        old = machine.file();
        ASSERT_TRUE(store->erase("a"));
    }
    machine.reboot(1h);
    EXPECT_TRUE(machine.start()->all().empty());
    machine.set_file(old);
    EXPECT_EQ(distrusted(), "Malformed");
}

/// After a reboot the generation file is gone: the layers that are left are the program's (the
/// UICC's RAND and B-TID against memory()) and the clock.
TEST_F(SealedStore, OlderCopyAfterARebootIsForTheProgramToSee) {
    Bytes old;
    {
        const auto store = machine.start();
        ASSERT_TRUE(store->remember({.uicc = "u1", .bootstrap = {1}, .tombstones = {}}));
        ASSERT_TRUE(store->put(record("revoked", 1)));
        old = machine.file();
        ASSERT_TRUE(store->erase("revoked"));
        ASSERT_TRUE(store->remember({.uicc = "u1", .bootstrap = {2}, .tombstones = {}}));
    }
    machine.reboot(1h);
    machine.set_file(old);
    const auto store = machine.start();
    EXPECT_FALSE(store->report().distrusted);
    EXPECT_EQ(store->memory().bootstrap, Bytes{1}) << "the UICC says 2";
    EXPECT_EQ(store->memory().uicc, "u1") << "and the program compares this with the card's";
    ASSERT_TRUE(store->distrust(Error{Errc::Malformed, 0, "the UICC was bootstrapped since"}));
    EXPECT_TRUE(store->all().empty());
    EXPECT_EQ(store->report().kept_as, "store.bad-1");
    EXPECT_EQ(Machine::read(machine.disk() / "store.bad-1"), old);
    EXPECT_TRUE(machine.start()->all().empty());
    EXPECT_FALSE(machine.start()->report().distrusted);
}

TEST_F(SealedStore, GenerationFileOfAnotherBootSaysNothing) {
    Bytes old;
    {
        const auto store = machine.start();
        ASSERT_TRUE(store->put(record("a", 1)));
        old = machine.file();
        ASSERT_TRUE(store->put(record("a", 2)));
    }
    const auto floor = Machine::read(machine.run() / "generation");
    machine.reboot();
    Machine::write(machine.run() / "generation", floor);
    machine.set_file(old);
    EXPECT_EQ(distrusted(), "");
}

// ---- other keys

TEST_F(SealedStore, RekeyAndItsEveryInterruption) {
    const auto generation_under = [&](std::uint8_t octet) {
        const auto kek = kek_of(octet);
        return parse_generation(Machine::read(machine.run() / "generation"), std::array{&kek},
                                "mtkeyd")
            .has_value();
    };
    ASSERT_TRUE(machine.start()->put(record("a", 1)));
    machine.next_kek = kek_of(0x22);
    {
        const auto store = machine.start(); // killed before it began
        EXPECT_EQ(keys_of(*store), (Keys{{"a", 1}}));
        ASSERT_TRUE(store->put(record("b", 2)));
        EXPECT_TRUE(generation_under(0x11)) << "nothing changes by itself";
        ASSERT_TRUE(store->rekey(kek_of(0x22)));
        EXPECT_TRUE(generation_under(0x22));
        const auto done = machine.file();
        ASSERT_TRUE(store->rekey(kek_of(0x22)));
        EXPECT_EQ(machine.file(), done) << "twice is once";
        ASSERT_TRUE(store->put(record("c", 3)));
    }
    { // both keys still there: killed before the old one was removed
        const auto store = machine.start();
        EXPECT_EQ(keys_of(*store), (Keys{{"a", 1}, {"b", 2}, {"c", 3}}));
        ASSERT_TRUE(store->rekey(kek_of(0x22)));
        ASSERT_TRUE(store->put(record("d", 4)));
    }
    // The new one has become the only one, by way of both files holding it.
    machine.kek = kek_of(0x22);
    EXPECT_EQ(machine.start()->all().size(), 4U);
    machine.next_kek.reset();
    EXPECT_EQ(machine.start()->all().size(), 4U);
    machine.kek = kek_of(0x11);
    EXPECT_EQ(distrusted(), "NotFound") << "the old key opens nothing";
}

TEST_F(SealedStore, RekeyKilledBetweenItsTwoFiles) {
    ASSERT_TRUE(machine.start()->put(record("a", 1)));
    const auto floor = Machine::read(machine.run() / "generation");
    machine.next_kek = kek_of(0x22);
    ASSERT_TRUE(machine.start()->rekey(kek_of(0x22)));
    Machine::write(machine.run() / "generation", floor); // still under the old key
    EXPECT_EQ(keys_of(*machine.start()), (Keys{{"a", 1}}));
    machine.kek = kek_of(0x22); // and that start has made it the new one's
    machine.next_kek.reset();
    EXPECT_EQ(keys_of(*machine.start()), (Keys{{"a", 1}}));
}

TEST_F(SealedStore, NoRandomnessNoChange) {
    const auto store = machine.start();
    ASSERT_TRUE(store->put(record("a", 1)));
    const auto before = machine.file();
    machine.next_kek = kek_of(0x22);
    fakes::FixedRandom dry;
    machine.random = &dry;
    const auto without = machine.start();
    EXPECT_EQ(without->put(record("b", 2)).error().code, Errc::RandomFailed);
    EXPECT_EQ(without->put(record("a", 3)).error().code, Errc::RandomFailed);
    EXPECT_EQ(without->rekey(kek_of(0x22)).error().code, Errc::RandomFailed);
    EXPECT_EQ(without->remember({.uicc = "u", .bootstrap = {}, .tombstones = {}}).error().code,
              Errc::RandomFailed);
    EXPECT_EQ(keys_of(*without), (Keys{{"a", 1}}));
    EXPECT_EQ(without->erase("a").error().code, Errc::RandomFailed);
    ASSERT_NE(without->find("a"), nullptr);
    EXPECT_EQ(without->find("a")->state, KeyState::Revoked);
    EXPECT_FALSE(without->find("a")->usable(machine.clock));
    EXPECT_EQ(machine.file(), before);
    EXPECT_EQ(names(machine.disk()), (std::vector<std::string>{"store", "store.lock"}));
}

// ---- layouts

/// A layout that never was: records had no label.
Result<Snapshot> read_layout_0(FieldReader& in) {
    Snapshot out;
    out.generation = MTKEY_TRY(in.number<std::uint64_t>());
    KeyRecord record = record_of("a", 0, fakes::ManualClock("2030-01-01T00:00:00Z"));
    record.label.clear();
    record.device_id = MTKEY_TRY(in.text(1, 128));
    MTKEY_CHECK(in.octets(record.ks_local_mt.reveal_writable()));
    out.records.push_back(std::move(record));
    return out;
}

TEST_F(SealedStore, OlderLayoutIsReadAndLeftBehind) {
    Sealer sealer = Sealer::begin(*machine.kek, "mtkeyd", machine.system_random).value();
    FieldWriter out(sealer);
    out.number(std::uint16_t{0});
    out.number(std::uint64_t{41});
    out.text("a");
    out.octets(record("a", 7).ks_local_mt.reveal());
    const auto file = sealer.finish().value();
    machine.set_file(file);
    const std::array layouts{Layout{0, read_layout_0}, kLayouts[0]};
    {
        machine.layouts = layouts;
        const auto store = machine.start();
        EXPECT_FALSE(store->report().distrusted);
        EXPECT_EQ(keys_of(*store), (Keys{{"a", 7}}));
        EXPECT_EQ(machine.file(), file) << "reading writes nothing";
        auto labelled = store->find("a")->clone();
        labelled.label = "car";
        ASSERT_TRUE(store->put(std::move(labelled)));
        EXPECT_EQ(store->generation(), 42U);
    }
    machine.layouts = kLayouts; // what was written is the layout of today
    const auto store = machine.start();
    ASSERT_NE(store->find("a"), nullptr);
    EXPECT_EQ(store->find("a")->label, "car");
}

TEST_F(SealedStore, NewerLayoutIsSetAsideNotOverwritten) {
    Sealer sealer = Sealer::begin(*machine.kek, "mtkeyd", machine.system_random).value();
    FieldWriter(sealer).number(std::uint16_t{2});
    const auto file = sealer.finish().value();
    machine.set_file(file);
    const auto store = machine.start();
    ASSERT_TRUE(store->report().distrusted);
    EXPECT_EQ(store->report().distrusted->code, Errc::VersionMismatch);
    EXPECT_EQ(Machine::read(machine.disk() / store->report().kept_as), file);
}

} // namespace
} // namespace mtkey::store
