// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"

#include <string_view>

namespace mtkey::fakes {

/// A clock that stands still until the test moves it. Owns both times.
class ManualClock final : public Clock {
public:
    /// `utc`: "2026-01-01T00:00:00Z"; a text that is no time is a mistake of the test
    /// (std::terminate).
    explicit ManualClock(std::string_view utc = "2026-01-01T00:00:00Z",
                         std::chrono::milliseconds boot = std::chrono::hours(1))
        : utc_(parse_utc(utc).value()), boot_(boot) {}

    [[nodiscard]] UtcTime utc_now() const override { return utc_; }
    [[nodiscard]] BootTime boot_now() const override { return boot_; }

    /// Time goes by: both clocks move.
    void advance(std::chrono::milliseconds by) {
        boot_ += by;
        rest_ += by;
        const auto seconds = std::chrono::floor<std::chrono::seconds>(rest_);
        utc_ += seconds;
        rest_ -= seconds;
    }
    /// Somebody sets the wall clock: only UTC moves.
    void set_utc(std::string_view utc) { utc_ = parse_utc(utc).value(); }
    void jump_utc(std::chrono::seconds by) { utc_ += by; }
    /// CLOCK_BOOTTIME begins anew.
    void reboot() { boot_ = BootTime(std::chrono::seconds(20)); }

private:
    UtcTime utc_;
    BootTime boot_;
    std::chrono::milliseconds rest_{0}; ///< what UTC, in whole seconds, does not show yet
};

} // namespace mtkey::fakes
