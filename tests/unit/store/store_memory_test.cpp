// SPDX-License-Identifier: Apache-2.0
// Each allocation of each operation fails, once or from there on: an error, and memory that says
// what a restart finds. A program of its own: operator new is replaced.
#include "machine.hpp"

#include <gtest/gtest.h>
#include <new>

namespace {

long allocations_left = -1; ///< negative: all succeed
bool fails_for_ever = false;
bool failed = false;

bool fails() {
    if (allocations_left < 0) {
        return false;
    }
    if (allocations_left > 0) {
        --allocations_left;
        return false;
    }
    failed = true;
    allocations_left = fails_for_ever ? 0 : -1;
    return true;
}

void* allocate(std::size_t size) {
    void* block = fails() ? nullptr : std::malloc(size == 0 ? 1 : size);
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    return block;
}

} // namespace

void* operator new(std::size_t size) {
    return allocate(size);
}
void* operator new[](std::size_t size) {
    return allocate(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return fails() ? nullptr : std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* block) noexcept {
    std::free(block);
}
void operator delete[](void* block) noexcept {
    std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
    std::free(block);
}
void operator delete[](void* block, std::size_t) noexcept {
    std::free(block);
}
void operator delete(void* block, const std::nothrow_t&) noexcept {
    std::free(block);
}

namespace mtkey::store {
namespace {

using Keys = std::map<std::string, int>;

void arm(long first, bool for_ever) {
    failed = false;
    fails_for_ever = for_ever;
    allocations_left = first;
}
void disarm() {
    allocations_left = -1;
}

struct Operation {
    const char* name;
    /// What it needs is made before allocations fail: the store's own are meant.
    std::function<Result<void>()> (*prepare)(SealedKeyStore& store, Machine& machine);
};

template <typename Value, typename Run>
std::function<Result<void>()> once(Value value, Run run) {
    auto shared = std::make_shared<Value>(std::move(value));
    return [shared, run]() -> Result<void> { return run(std::move(*shared)); };
}

const std::array kOperations{
    Operation{"put",
              [](SealedKeyStore& store, Machine& m) {
                  return once(record_of("c", 3, m.clock),
                              [&store](KeyRecord record) { return store.put(std::move(record)); });
              }},
    Operation{"replace",
              [](SealedKeyStore& store, Machine& m) {
                  return once(record_of("a", 9, m.clock),
                              [&store](KeyRecord record) { return store.put(std::move(record)); });
              }},
    Operation{"confirm",
              [](SealedKeyStore& store, Machine& m) {
                  return once(record_of("p", 5, m.clock), [&store](KeyRecord record) {
                      return store.confirm(std::move(record));
                  });
              }},
    Operation{"confirm in the place of another",
              [](SealedKeyStore& store, Machine& m) {
                  return once(record_of("a", 6, m.clock), [&store](KeyRecord record) {
                      return store.confirm(std::move(record));
                  });
              }},
    Operation{"erase",
              [](SealedKeyStore& store, Machine&) -> std::function<Result<void>()> {
                  return [&store] { return store.erase("a"); };
              }},
    Operation{"erase many",
              [](SealedKeyStore& store, Machine&) {
                  return once(std::vector<Tombstone>{{"a", "t"}},
                              [&store, ids = std::array<std::string, 2>{"a", "b"}](
                                  std::vector<Tombstone> tombstones) {
                                  return store.end(ids, std::move(tombstones));
                              });
              }},
    Operation{"remember",
              [](SealedKeyStore& store, Machine&) {
                  return once(
                      Memory{.uicc = "u", .bootstrap = {1}, .tombstones = {}},
                      [&store](Memory memory) { return store.remember(std::move(memory)); });
              }},
    Operation{"rekey",
              [](SealedKeyStore& store, Machine& m) -> std::function<Result<void>()> {
                  return [&store, &m] { return store.rekey(*m.next_kek); };
              }},
};

/// False: the operation makes fewer allocations.
bool try_one(const Operation& operation, long first, bool for_ever) {
    Machine machine;
    machine.next_kek = kek_of(0x22);
    auto store = machine.start();
    EXPECT_TRUE(store->put(record_of("a", 1, machine.clock)));
    EXPECT_TRUE(store->put(record_of("b", 2, machine.clock)));
    EXPECT_TRUE(store->put(pending_of("a", 6, machine.clock)));
    EXPECT_TRUE(store->put(pending_of("p", 5, machine.clock)));
    const Keys before = keys_of(*store);
    const Memory memory = store->memory();
    const auto run = operation.prepare(*store, machine);
    arm(first, for_ever);
    const auto done = run();
    disarm();
    const bool reached = failed;
    Keys in_memory = keys_of(*store);
    if (!done) {
        EXPECT_TRUE(reached);
        EXPECT_EQ(done.error().code, Errc::StoreFailed) << describe(done.error());
        const bool erases = std::string_view(operation.name).starts_with("erase");
        EXPECT_EQ(in_memory.contains("a"), !erases) << "what was to end is used no more";
        for (const auto& [device_id, key] : before) {
            EXPECT_NE(find_named(*store, device_id), nullptr);
            in_memory[device_id] = key;
        }
        EXPECT_EQ(in_memory, before);
        EXPECT_EQ(store->memory(), memory);
    }
    const auto again = machine.start();
    EXPECT_FALSE(again->report().distrusted);
    EXPECT_EQ(keys_of(*again), in_memory);
    EXPECT_EQ(again->memory(), store->memory());
    return reached;
}

TEST(StoreMemory, EachAllocationOfEachChange) {
    for (const auto& operation : kOperations) {
        for (const bool for_ever : {false, true}) {
            long first = 0;
            while (first < 10'000 && try_one(operation, first, for_ever)) {
                ASSERT_FALSE(HasFailure()) << operation.name << ", allocation " << first;
                ++first;
            }
            EXPECT_GT(first, 10) << operation.name;
            EXPECT_LT(first, 10'000) << operation.name;
        }
    }
}

TEST(StoreMemory, EachAllocationOfAStart) {
    Machine machine;
    ASSERT_TRUE(machine.start()->put(record_of("a", 1, machine.clock)));
    const auto file = machine.file();
    for (const bool for_ever : {false, true}) {
        for (long first = 0;; ++first) {
            StorePlace place{.directory = machine.disk(),
                             .runtime_directory = machine.run(),
                             .store_id = "mtkeyd",
                             .layouts = kLayouts,
                             .access = Access::Change};
            StoreParts parts{.files = machine.quick,
                             .clock = machine.clock,
                             .random = *machine.random,
                             .boot_id = machine.boot_id,
                             .key_id = test_key_id};
            Keks keks{.current = kek_of(0x11), .next = {}, .origin = "file"};
            arm(first, for_ever);
            const auto store =
                SealedKeyStore::open(std::move(place), std::move(parts), std::move(keks));
            disarm();
            if (store) {
                EXPECT_FALSE((*store)->report().distrusted) << first;
                EXPECT_EQ(keys_of(**store), (Keys{{"a", 1}})) << first;
            } else {
                EXPECT_EQ(store.error().code, Errc::StoreFailed);
            }
            ASSERT_EQ(machine.file(), file) << "not taken for damage, allocation " << first;
            if (!failed) {
                EXPECT_TRUE(store);
                break;
            }
            ASSERT_LT(first, 10'000);
        }
    }
}

} // namespace
} // namespace mtkey::store
