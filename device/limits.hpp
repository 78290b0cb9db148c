// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"

#include <span>

struct pollfd;

namespace mtkey::device {

/// What ends a wait from outside. Borrowed by everything that waits.
struct Limits {
    const Clock& clock;
    BootTime end;       ///< of the whole run: TimedOut
    int cancel_fd = -1; ///< readable: Cancelled; -1 = nobody cancels

    [[nodiscard]] bool passed() const { return clock.boot_now() >= end; }
};

/// poll(2) until one of `waits` is ready or `until` has come; TimedOut and Cancelled by `limits`.
Result<void> wait_for(std::span<pollfd> waits, const Limits& limits, BootTime until);

} // namespace mtkey::device
