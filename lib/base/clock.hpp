// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace mtkey {

/// Absolute UTC, whole seconds: what lifetimes are written in.
using UtcTime = std::chrono::sys_seconds;

/// CLOCK_BOOTTIME: goes on in suspend, is never set. Only differences mean anything.
struct BootClock {
    using rep = std::int64_t;
    using period = std::milli;
    using duration = std::chrono::milliseconds;
    using time_point = std::chrono::time_point<BootClock>;
    static constexpr bool is_steady = true;
};
using BootTime = BootClock::time_point;

/// Passed to everything that asks for the time, so that tests own it.
class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual UtcTime utc_now() const = 0;
    [[nodiscard]] virtual BootTime boot_now() const = 0;
};

class SystemClock final : public Clock {
public:
    [[nodiscard]] UtcTime utc_now() const override;
    [[nodiscard]] BootTime boot_now() const override;
};

/// xs:dateTime in UTC ("2030-01-01T12:00:00Z"); a fraction of a second is read and dropped, years
/// 1970 to 9999.
Result<UtcTime> parse_utc(std::string_view text);
std::string format_utc(UtcTime time);

} // namespace mtkey
