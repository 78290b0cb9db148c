// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::keys {

/// How many complete bootstrappings may be caused (threats L3).
struct RunLimits {
    unsigned per_minute = 1;
    unsigned per_hour = 10;
    unsigned per_day = 50;
};

/// One bootstrapping that has begun, whatever became of it.
struct BegunRun {
    BootTime at{};
    std::string
        device; ///< device_tag() of who caused it, a device or a user; "" = the administrator
    bool operator==(const BegunRun&) const = default;
};

/// Stands for a Device_ID, or the name of a user, where only equality counts: 16 hex digits of its
/// SHA-256.
[[nodiscard]] std::string device_tag(std::string_view device_id);

/// Counts begun bootstrappings over the last minute, hour and day: in any such time at most as many
/// as the limits say, which a bucket that fills up again while it is emptied would not hold. One
/// device gets a part of that (three tenths of an hour's, a fifth of a day's), and all that is
/// forced while there is a good B-TID four fifths: what is left is for when there is none. Owns the
/// list of runs, the times of all devices in one.
class BootstrapBudget {
public:
    BootstrapBudget(const RunLimits& limits, const Clock& clock);

    /// Of an earlier life of this program, in the time of this boot, in any order.
    void restore(std::vector<BegunRun> runs);
    /// Nothing is known of the past, and it may have been busy: one run is left of the hour's, the
    /// others count as made evenly over it. Who could make us forget must not gain by it.
    // DRAFT-GAP(run-budget): how many runs devices may cause, and from what such a count starts.
    void assume_busy_past();

    /// How long until this device may cause one; 0 = now. `forced`: there is a good B-TID.
    [[nodiscard]] std::chrono::milliseconds wait(std::string_view device_tag, bool forced) const;
    /// One begins.
    void spend(std::string device_tag);
    /// Oldest first; none older than a day, and no more than the limits need.
    [[nodiscard]] const std::vector<BegunRun>& runs() const { return runs_; }
    /// What one run takes at the rate of a minute: no B-TID that is younger is replaced because a
    /// device says so.
    [[nodiscard]] std::chrono::milliseconds least_age() const;

private:
    void trim();
    RunLimits limits_;
    const Clock& clock_;
    std::vector<BegunRun> runs_;
};

} // namespace mtkey::keys
