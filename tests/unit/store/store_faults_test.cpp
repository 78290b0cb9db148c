// SPDX-License-Identifier: Apache-2.0
// Each system call of each operation fails, once or from there on, in each way: what memory says is
// what a restart finds, and a caller who was told "done" was told the truth.
#include "machine.hpp"

#include <gtest/gtest.h>

namespace mtkey::store {
namespace {

using namespace std::chrono_literals;
using Keys = std::map<std::string, int>;
namespace fs = std::filesystem;

enum class Kind { Openat, Fstat, Read, Write, Fdatasync, Fsync, Renameat, Unlinkat, Flock };

struct Fault {
    std::size_t first = 0; ///< index of the call among all (or, with `kind`, those) of an operation
    bool for_ever = false;
    int code = 0;                  ///< errno; 0: half of what was to be written is
    std::optional<Kind> kind = {}; ///< only calls of this kind are counted
};

class FaultyFiles final : public QuickFiles {
public:
    void arm(const Fault& fault) {
        fault_ = fault;
        calls_ = 0;
        struck_ = 0;
    }
    void disarm() { fault_.reset(); }
    [[nodiscard]] std::size_t struck() const { return struck_; }

    int openat(int directory, const char* name, int flags, mode_t mode) override {
        return strikes(Kind::Openat) ? refuse() : QuickFiles::openat(directory, name, flags, mode);
    }
    int fstat(int fd, struct stat& out) override {
        return strikes(Kind::Fstat) ? refuse() : QuickFiles::fstat(fd, out);
    }
    ssize_t read(int fd, std::span<std::uint8_t> out) override {
        return strikes(Kind::Read) ? refuse() : QuickFiles::read(fd, out);
    }
    ssize_t write(int fd, ByteView octets) override {
        if (!strikes(Kind::Write)) {
            return QuickFiles::write(fd, octets);
        }
        return fault_->code != 0 ? refuse()
                                 : QuickFiles::write(fd, octets.first((octets.size() + 1) / 2));
    }
    int fdatasync(int fd) override {
        return strikes(Kind::Fdatasync) ? refuse() : QuickFiles::fdatasync(fd);
    }
    int fsync(int fd) override { return strikes(Kind::Fsync) ? refuse() : QuickFiles::fsync(fd); }
    int renameat(int directory, const char* from, const char* to) override {
        return strikes(Kind::Renameat) ? refuse() : QuickFiles::renameat(directory, from, to);
    }
    int unlinkat(int directory, const char* name) override {
        return strikes(Kind::Unlinkat) ? refuse() : QuickFiles::unlinkat(directory, name);
    }
    int flock(int fd, int operation) override {
        return strikes(Kind::Flock) ? refuse() : QuickFiles::flock(fd, operation);
    }

private:
    bool strikes(Kind kind) {
        if (!fault_ || (fault_->kind && *fault_->kind != kind) ||
            (fault_->code == 0 && kind != Kind::Write)) {
            return false;
        }
        const auto index = calls_++;
        const bool now = fault_->for_ever ? index >= fault_->first : index == fault_->first;
        struck_ += now ? 1 : 0;
        return now;
    }
    int refuse() const {
        errno = fault_->code;
        return -1;
    }
    std::optional<Fault> fault_;
    std::size_t calls_ = 0;
    std::size_t struck_ = 0;
};

std::size_t open_descriptors() {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

struct State {
    Keys keys;
    Memory memory;
    bool operator==(const State&) const = default;
};

State state_of(const SealedKeyStore& store) {
    return {keys_of(store), store.memory()};
}

struct Operation {
    const char* name;
    bool empty_before; ///< there is no file yet
    Result<void> (*run)(SealedKeyStore& store, Machine& machine);
};

const std::array kOperations{
    Operation{
        "first put", true,
        [](SealedKeyStore& store, Machine& m) { return store.put(record_of("c", 3, m.clock)); }},
    Operation{
        "put", false,
        [](SealedKeyStore& store, Machine& m) { return store.put(record_of("c", 3, m.clock)); }},
    Operation{
        "replace", false,
        [](SealedKeyStore& store, Machine& m) { return store.put(record_of("a", 9, m.clock)); }},
    Operation{
        "put pending", false,
        [](SealedKeyStore& store, Machine& m) { return store.put(pending_of("b", 8, m.clock)); }},
    Operation{"confirm", false,
              [](SealedKeyStore& store, Machine& m) {
                  return store.confirm(record_of("p", 5, m.clock));
              }},
    Operation{"confirm in the place of another", false,
              [](SealedKeyStore& store, Machine& m) {
                  return store.confirm(record_of("a", 6, m.clock));
              }},
    Operation{"erase", false, [](SealedKeyStore& store, Machine&) { return store.erase("a"); }},
    Operation{"erase pending", false,
              [](SealedKeyStore& store, Machine&) {
                  return store.erase_if([](const KeyRecord& record) { return record.pending(); });
              }},
    Operation{"erase many", false,
              [](SealedKeyStore& store, Machine&) {
                  return store.end(std::array<std::string, 2>{"a", "b"}, {{"a", "t"}});
              }},
    Operation{"remember", false,
              [](SealedKeyStore& store, Machine&) {
                  return store.remember({.uicc = "u", .bootstrap = {1}, .tombstones = {}});
              }},
    Operation{"rekey", false,
              [](SealedKeyStore& store, Machine&) { return store.rekey(kek_of(0x22)); }},
};

/// One operation under one fault. False: the fault was beyond its last call.
bool try_one(const Operation& operation, const Fault& fault) {
    Machine machine;
    machine.next_kek = kek_of(0x22);
    FaultyFiles files;
    auto store = machine.try_start(files).value();
    if (!operation.empty_before) {
        EXPECT_TRUE(store->put(record_of("a", 1, machine.clock)));
        EXPECT_TRUE(store->put(record_of("b", 2, machine.clock)));
        EXPECT_TRUE(store->put(pending_of("a", 6, machine.clock)));
        EXPECT_TRUE(store->put(pending_of("p", 5, machine.clock)));
    }
    const auto before = state_of(*store);
    const auto descriptors = open_descriptors();
    files.arm(fault);
    const auto done = operation.run(*store, machine);
    files.disarm();
    EXPECT_EQ(open_descriptors(), descriptors);
    const bool reached = files.struck() > 0;
    auto in_memory = state_of(*store);
    const auto after_restart = state_of(*machine.start());
    EXPECT_FALSE(machine.start()->report().distrusted);
    if (done) {
        EXPECT_EQ(after_restart, in_memory);
        if (std::string_view(operation.name) != "rekey") {
            EXPECT_NE(in_memory, before);
        }
    } else {
        EXPECT_TRUE(reached);
        EXPECT_EQ(done.error().code, Errc::StoreFailed);
        EXPECT_EQ(done.error().detail, static_cast<std::uint32_t>(fault.code));
        EXPECT_FALSE(done.error().context.empty());
        // What was to be erased is used no more, and is still there.
        for (const auto& [device_id, key] : before.keys) {
            const auto* found = find_named(*store, device_id);
            EXPECT_TRUE(found != nullptr);
            EXPECT_EQ(found->ks_local_mt.reveal()[0], key);
            in_memory.keys[device_id] = key;
        }
        EXPECT_EQ(in_memory, before) << "it did not happen";
        const bool torn_away =
            done.error().context.find("could not be put back") != std::string::npos;
        EXPECT_TRUE(after_restart == before || torn_away);
    }
    if (fault.code == 0 || (fault.code == EINTR && !fault.for_ever)) {
        EXPECT_TRUE(done) << "neither a signal nor a short write is a failure";
    }
    // The disk is well again: so is the store, under the key it had.
    if (!done) {
        machine.next_kek.reset();
    }
    EXPECT_TRUE(store->put(record_of("z", 26, machine.clock)));
    EXPECT_EQ(state_of(*machine.start()), state_of(*store));
    return reached;
}

constexpr std::array kCodes{EIO, ENOSPC, EROFS, EDQUOT, EINTR, 0};

TEST(StoreFaults, EachCallOfEachChange) {
    std::size_t cases = 0;
    for (const auto& operation : kOperations) {
        for (const int code : kCodes) {
            for (const bool for_ever : {false, true}) {
                for (std::size_t first = 0;; ++first) {
                    SCOPED_TRACE(std::string(operation.name) + ", call " + std::to_string(first) +
                                 (for_ever ? " for ever, errno " : " once, errno ") +
                                 std::to_string(code));
                    if (!try_one(operation, {.first = first, .for_ever = for_ever, .code = code})) {
                        break;
                    }
                    ASSERT_FALSE(HasFailure());
                    ASSERT_LT(first, 1000U);
                    ++cases;
                }
            }
        }
    }
    RecordProperty("cases", static_cast<int>(cases));
    EXPECT_GT(cases, 500U);
}

TEST(StoreFaults, EachKindOfCallForEver) {
    for (const auto& operation : kOperations) {
        for (const auto kind :
             {Kind::Openat, Kind::Write, Kind::Fdatasync, Kind::Fsync, Kind::Renameat}) {
            SCOPED_TRACE(std::string(operation.name) + ", kind " +
                         std::to_string(static_cast<int>(kind)));
            EXPECT_TRUE(
                try_one(operation, {.first = 0, .for_ever = true, .code = EIO, .kind = kind}));
        }
    }
}

/// With calls of one kind alone failing the old file always stands in the end.
TEST(StoreFaults, OldFileStandsWhateverKindFails) {
    for (const auto kind : {Kind::Openat, Kind::Write, Kind::Fdatasync, Kind::Fsync}) {
        Machine machine;
        FaultyFiles files;
        const auto store = machine.try_start(files).value();
        ASSERT_TRUE(store->put(record_of("a", 1, machine.clock)));
        const auto file = machine.file();
        files.arm({.first = 0, .for_ever = true, .code = EIO, .kind = kind});
        ASSERT_FALSE(store->put(record_of("a", 2, machine.clock)));
        files.disarm();
        EXPECT_EQ(machine.file(), file);
        EXPECT_FALSE(fs::exists(machine.disk() / "store.tmp")) << "nor does anything lie about";
        EXPECT_FALSE(fs::exists(machine.run() / "generation.tmp"));
    }
}

TEST(StoreFaults, FsyncThatFailsGivesItsGenerationToNoOther) {
    Machine machine;
    FaultyFiles files;
    const auto store = machine.try_start(files).value();
    ASSERT_TRUE(store->put(record_of("a", 1, machine.clock)));
    const auto generation = store->generation();
    files.arm({.first = 0, .for_ever = false, .code = EIO, .kind = Kind::Fsync});
    ASSERT_FALSE(store->put(record_of("a", 2, machine.clock)));
    EXPECT_EQ(store->generation(), generation);
    files.disarm();
    ASSERT_TRUE(store->put(record_of("a", 3, machine.clock)));
    EXPECT_EQ(store->generation(), generation + 2);
}

/// A start either fails and leaves the file, or finds everything.
TEST(StoreFaults, EachCallOfAStart) {
    std::size_t cases = 0;
    for (const int code : kCodes) {
        for (const bool for_ever : {false, true}) {
            for (std::size_t first = 0;; ++first) {
                SCOPED_TRACE("call " + std::to_string(first) + " errno " + std::to_string(code));
                Machine machine;
                ASSERT_TRUE(machine.start()->put(record_of("a", 1, machine.clock)));
                const auto file = machine.file();
                const auto descriptors = open_descriptors();
                FaultyFiles files;
                files.arm({.first = first, .for_ever = for_ever, .code = code});
                {
                    const auto store = machine.try_start(files);
                    if (store) {
                        EXPECT_FALSE((*store)->report().distrusted);
                        EXPECT_EQ(keys_of(**store), (Keys{{"a", 1}}));
                    } else {
                        EXPECT_EQ(store.error().code, Errc::StoreFailed);
                        EXPECT_GT(files.struck(), 0U);
                    }
                }
                files.disarm();
                EXPECT_EQ(open_descriptors(), descriptors);
                EXPECT_EQ(machine.file(), file);
                EXPECT_EQ(keys_of(*machine.start()), (Keys{{"a", 1}}));
                ASSERT_FALSE(HasFailure());
                if (files.struck() == 0) {
                    break;
                }
                ++cases;
            }
        }
    }
    EXPECT_GT(cases, 80U);
}

/// The bad file is never lost, and never believed.
TEST(StoreFaults, EachCallOfSettingAside) {
    const Bytes bad{1, 2, 3};
    for (const int code : kCodes) {
        for (const bool for_ever : {false, true}) {
            for (std::size_t first = 0;; ++first) {
                SCOPED_TRACE("call " + std::to_string(first) + " errno " + std::to_string(code));
                Machine machine;
                ASSERT_TRUE(machine.start()->put(record_of("a", 1, machine.clock)));
                machine.set_file(bad);
                FaultyFiles files;
                files.arm({.first = first, .for_ever = for_ever, .code = code});
                {
                    const auto store = machine.try_start(files);
                    if (store) {
                        EXPECT_TRUE((*store)->report().distrusted);
                        EXPECT_TRUE((*store)->all().empty());
                    }
                }
                files.disarm();
                const auto again = machine.start();
                EXPECT_TRUE(again->all().empty());
                EXPECT_EQ(Machine::read(machine.disk() / "store.bad-1"), bad);
                ASSERT_TRUE(again->put(record_of("b", 2, machine.clock)));
                EXPECT_EQ(keys_of(*machine.start()), (Keys{{"b", 2}}));
                ASSERT_FALSE(HasFailure());
                if (files.struck() == 0) {
                    break;
                }
            }
        }
    }
}

} // namespace
} // namespace mtkey::store
