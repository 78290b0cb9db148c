// SPDX-License-Identifier: Apache-2.0
#include "base/secret.hpp"

#include "base/hash.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <openssl/crypto.h>
#include <sys/resource.h>

namespace mtkey {
namespace {
// 256 stored records with two keys each, sessions and the card worker: measured use is below 64
// KiB.
constexpr std::size_t kArena = 256 * 1024;
constexpr std::size_t kSmallestBlock = 16;

/// From then on plain memory, which OpenSSL gives where there is no arena (any more), is no memory.
std::atomic<bool> arena_is_there = false;

Result<void> make_arena() {
    // Without memory its first use leaves OpenSSL 3.0 with half a context, which it then uses.
    if (OSSL_LIB_CTX_get0_global_default() == nullptr) {
        return fail(Errc::Internal, "OpenSSL cannot begin: no memory");
    }
    if (CRYPTO_secure_malloc_initialized() == 1) {
        return check_algorithms(); // of the program that we are a library of: there can be only one
    }
    // 1 = locked; 2 = usable but mlock failed; 0 = none
    const int state = CRYPTO_secure_malloc_init(kArena, kSmallestBlock);
    if (state == 1) {
        return check_algorithms();
    }
    rlimit limit{};
    getrlimit(RLIMIT_MEMLOCK, &limit);
    return fail(Errc::Internal,
                "secure heap of 256 KiB could not be locked: raise the limit of locked memory "
                "(LimitMEMLOCK=, ulimit -l), now " +
                    std::to_string(limit.rlim_cur / 1024) + " KiB");
}
} // namespace

Result<void> init_secure_heap() {
    // OpenSSL calls an arena initialised that it could not lock: what counts is what came first.
    static const Result<void> outcome = make_arena();
    if (outcome) {
        arena_is_there = true;
    }
    return outcome;
}

SecretBytes::SecretBytes(std::size_t size) : size_(size) {
    if (size == 0) {
        return;
    }
    data_ = static_cast<std::uint8_t*>(OPENSSL_secure_zalloc(size));
    if (data_ == nullptr) {
        throw std::bad_alloc();
    }
    if (arena_is_there && CRYPTO_secure_allocated(data_) != 1) {
        release();
        throw std::bad_alloc();
    }
}

SecretBytes::SecretBytes(ByteView octets) : SecretBytes(octets.size()) {
    if (!octets.empty()) {
        std::memcpy(data_, octets.data(), octets.size());
    }
}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
        release();
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
    }
    return *this;
}

void SecretBytes::release() noexcept {
    if (data_ != nullptr) {
        OPENSSL_secure_clear_free(data_, size_);
        data_ = nullptr;
        size_ = 0;
    }
}

bool equal_constant_time(ByteView a, ByteView b) {
    return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

void wipe(std::span<std::uint8_t> octets) {
    if (!octets.empty()) {
        OPENSSL_cleanse(octets.data(), octets.size());
    }
}

void wipe(std::string& text) {
    // Up to the capacity: an earlier, longer value may stand behind the end.
    text.resize(text.capacity());
    if (!text.empty()) {
        OPENSSL_cleanse(text.data(), text.size());
    }
    text.clear();
}

void wipe(Bytes& octets) {
    octets.resize(octets.capacity());
    wipe(std::span<std::uint8_t>(octets));
    octets.clear();
}

} // namespace mtkey
