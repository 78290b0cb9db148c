// SPDX-License-Identifier: Apache-2.0
#include "fakes/failing_memory.hpp"

#include <cstdio>
#include <cstdlib>
#include <new>
#include <openssl/crypto.h>

namespace mtkey::fakes {
namespace {

struct State {
    bool armed = false;
    Allocator of = Allocator::New;
    long first = 0;
    bool for_ever = false;
    long count = 0;
    bool failed = false;
};
State state;

bool fails(Allocator asked) {
    if (!state.armed || state.of != asked) {
        return false;
    }
    const auto number = state.count++;
    const bool out = state.for_ever ? number >= state.first : number == state.first;
    state.failed = state.failed || out;
    return out;
}

void* new_block(std::size_t size) {
    return fails(Allocator::New) ? nullptr : std::malloc(size == 0 ? 1 : size);
}
void* new_block_or_throw(std::size_t size) {
    void* block = new_block(size);
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    return block;
}

void* openssl_malloc(std::size_t size, const char* /*file*/, int /*line*/) {
    return fails(Allocator::OpenSsl) ? nullptr : std::malloc(size);
}
void* openssl_realloc(void* block, std::size_t size, const char* /*file*/, int /*line*/) {
    if (size == 0) {
        std::free(block);
        return nullptr;
    }
    return fails(Allocator::OpenSsl) ? nullptr : std::realloc(block, size);
}
void openssl_free(void* block, const char* /*file*/, int /*line*/) {
    std::free(block);
}

/// Before main(): OpenSSL takes no other functions once it has allocated anything.
const bool hooked = [] {
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1) {
        std::fprintf(stderr, "OpenSSL was used before its allocator could be replaced\n");
        std::abort();
    }
    return true;
}();

} // namespace

void fail_allocation(Allocator of, long first, bool for_ever) {
    state = {.armed = true, .of = of, .first = first, .for_ever = for_ever};
}

bool end_failing() {
    state.armed = false;
    return state.failed;
}

long allocations() {
    return state.count;
}

} // namespace mtkey::fakes

void* operator new(std::size_t size) {
    return mtkey::fakes::new_block_or_throw(size);
}
void* operator new[](std::size_t size) {
    return mtkey::fakes::new_block_or_throw(size);
}
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
    return mtkey::fakes::new_block(size);
}
void* operator new[](std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
    return mtkey::fakes::new_block(size);
}
void operator delete(void* block) noexcept {
    std::free(block);
}
void operator delete[](void* block) noexcept {
    std::free(block);
}
void operator delete(void* block, std::size_t /*size*/) noexcept {
    std::free(block);
}
void operator delete[](void* block, std::size_t /*size*/) noexcept {
    std::free(block);
}
void operator delete(void* block, const std::nothrow_t& /*tag*/) noexcept {
    std::free(block);
}
void operator delete[](void* block, const std::nothrow_t& /*tag*/) noexcept {
    std::free(block);
}
