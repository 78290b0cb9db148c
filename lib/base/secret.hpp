// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <cassert>
#include <cstddef>
#include <iosfwd>
#include <span>
#include <utility>

namespace mtkey {

/// Call once at the start of every program, before the first secret: a locked, undumped arena.
/// Where the program that uses us as a library has made OpenSSL's arena, that one is used as it is.
/// An arena that the system refuses (RLIMIT_MEMLOCK) is an error, never a silent plain heap; called
/// again, it says the same again. An OpenSSL that lacks an algorithm is an error here too, so that
/// later only memory can be wanting.
[[nodiscard]] Result<void> init_secure_heap();

/// Owns key octets of any length in OpenSSL's secure heap: wiped when released, move-only, not
/// printable.
class SecretBytes {
public:
    SecretBytes() = default;
    explicit SecretBytes(std::size_t size); ///< `size` zero octets
    explicit SecretBytes(ByteView octets);  ///< copies; wiping the source is the caller's task
    SecretBytes(SecretBytes&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    SecretBytes& operator=(SecretBytes&& other) noexcept;
    SecretBytes(const SecretBytes&) = delete;
    SecretBytes& operator=(const SecretBytes&) = delete;
    ~SecretBytes() { release(); }

    [[nodiscard]] SecretBytes clone() const { return SecretBytes(reveal()); }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    /// The only ways in. The span ends with this object.
    [[nodiscard]] ByteView reveal() const { return {data_, size_}; }
    [[nodiscard]] std::span<std::uint8_t> reveal_writable() { return {data_, size_}; }

    void clear() { release(); }

private:
    void release() noexcept;
    std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
};

/// The same with a length known to the compiler. A moved-from Secret may only be assigned or
/// destroyed.
template <std::size_t N>
class Secret {
public:
    Secret() : octets_(N) {}
    explicit Secret(std::span<const std::uint8_t, N> octets) : octets_(ByteView(octets)) {}
    Secret(Secret&&) noexcept = default;
    Secret& operator=(Secret&&) noexcept = default;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() = default;

    [[nodiscard]] static Result<Secret> from(ByteView octets, const char* what) {
        if (octets.size() != N) {
            return fail(Errc::Malformed, std::string(what) + " has a wrong length");
        }
        return Secret(octets.template first<N>());
    }
    [[nodiscard]] Secret clone() const { return Secret(reveal()); }
    [[nodiscard]] std::span<const std::uint8_t, N> reveal() const {
        assert(octets_.size() == N);
        return octets_.reveal().template first<N>();
    }
    [[nodiscard]] std::span<std::uint8_t, N> reveal_writable() {
        assert(octets_.size() == N);
        return octets_.reveal_writable().template first<N>();
    }

private:
    SecretBytes octets_;
};

/// Constant time for equal lengths.
[[nodiscard]] bool equal_constant_time(ByteView a, ByteView b);
inline bool operator==(const SecretBytes& a, const SecretBytes& b) {
    return equal_constant_time(a.reveal(), b.reveal());
}
template <std::size_t N>
bool operator==(const Secret<N>& a, const Secret<N>& b) {
    return equal_constant_time(a.reveal(), b.reveal());
}

/// Wipes a buffer that a library made us fill with key octets.
void wipe(std::span<std::uint8_t> octets);
void wipe(std::string& text);
void wipe(Bytes& octets);

std::ostream& operator<<(std::ostream&, const SecretBytes&) = delete;
template <std::size_t N>
std::ostream& operator<<(std::ostream&, const Secret<N>&) = delete;

} // namespace mtkey
