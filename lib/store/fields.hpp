// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "store/sealing.hpp"

#include <concepts>
#include <string>

namespace mtkey::store {

// The parts that layouts are made of: big-endian numbers, and octets behind their length. For the
// layouts only.

/// Times that survive arithmetic: years 1970 to 9999, and 285,000 years since boot.
inline constexpr std::int64_t kLastSecond = 253'402'300'799;
inline constexpr std::int64_t kLastBootMillisecond = std::int64_t{1} << 53;

class FieldWriter {
public:
    explicit FieldWriter(PlainSink& sink) : sink_(sink) {}
    template <std::unsigned_integral T>
    void number(T value) {
        std::array<std::uint8_t, sizeof(T)> octets{};
        for (std::size_t i = sizeof(T); i-- > 0; value = static_cast<T>(value >> 4 >> 4)) {
            octets[i] = static_cast<std::uint8_t>(value);
        }
        sink_.write(octets);
    }
    void octets(ByteView fixed) { sink_.write(fixed); }
    void text(std::string_view value) { counted(as_octets(value)); }
    void counted(ByteView value) {
        number(static_cast<std::uint16_t>(value.size()));
        sink_.write(value);
    }
    void time(UtcTime time) { number(static_cast<std::uint64_t>(time.time_since_epoch().count())); }
    void time(BootTime time) {
        number(static_cast<std::uint64_t>(time.time_since_epoch().count()));
    }

private:
    PlainSink& sink_;
};

class FieldReader {
public:
    explicit FieldReader(PlainSource& source) : source_(source) {}
    template <std::unsigned_integral T>
    [[nodiscard]] Result<T> number() {
        std::array<std::uint8_t, sizeof(T)> octets{};
        MTKEY_CHECK(source_.read(octets));
        T value = 0;
        for (const auto octet : octets) {
            value = static_cast<T>(static_cast<T>(value << 4 << 4) | octet);
        }
        return value;
    }
    /// Straight to where they belong: key octets stand nowhere else.
    [[nodiscard]] Result<void> octets(std::span<std::uint8_t> out) { return source_.read(out); }
    [[nodiscard]] Result<Bytes> counted(std::size_t least, std::size_t most);
    [[nodiscard]] Result<std::string> text(std::size_t least, std::size_t most);
    [[nodiscard]] Result<UtcTime> utc_time();
    [[nodiscard]] Result<BootTime> boot_time();
    [[nodiscard]] Result<void> end() const; ///< Malformed when something follows

private:
    PlainSource& source_;
};

} // namespace mtkey::store
