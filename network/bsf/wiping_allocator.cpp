// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/wiping_allocator.hpp"

#include <cassert>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <openssl/crypto.h>
#include <sqlite3.h>

namespace mtkey::bsf {
namespace {

/// Before each block, and of its alignment.
struct alignas(std::max_align_t) Size {
    int value;
};

Size* size_of(void* block) {
    return static_cast<Size*>(block) - 1;
}

void* allocate(int size) {
    auto* const head =
        static_cast<Size*>(std::malloc(sizeof(Size) + static_cast<std::size_t>(size)));
    if (head == nullptr) {
        return nullptr;
    }
    head->value = size;
    return head + 1;
}

void release(void* block) {
    if (block != nullptr) {
        OPENSSL_cleanse(block, static_cast<std::size_t>(size_of(block)->value));
        std::free(size_of(block));
    }
}

void* reallocate(void* block, int size) {
    void* const larger = allocate(size);
    if (larger != nullptr && block != nullptr) {
        const int before = size_of(block)->value;
        std::memcpy(larger, block, static_cast<std::size_t>(before < size ? before : size));
        release(block);
    }
    return larger;
}

int size(void* block) {
    return block == nullptr ? 0 : size_of(block)->value;
}

int round_up(int wanted) {
    return (wanted + 7) & ~7;
}

int begin(void* /*data*/) {
    return SQLITE_OK;
}

void end(void* /*data*/) {}

} // namespace

void use_wiping_allocator() {
    static std::once_flag once;
    std::call_once(once, [] {
        static const sqlite3_mem_methods methods{allocate, release, reallocate, size,
                                                 round_up, begin,   end,        nullptr};
        [[maybe_unused]] int code = ::sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
        // Else its first pages are one block, and are used again as they are.
        code += ::sqlite3_config(SQLITE_CONFIG_PAGECACHE, nullptr, 0, 0);
        // So are the small blocks of a connection: the rows that it has last written.
        code += ::sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
        assert(code == SQLITE_OK); // nobody else in the process has begun with SQLite
    });
}

} // namespace mtkey::bsf
