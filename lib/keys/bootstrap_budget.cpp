// SPDX-License-Identifier: Apache-2.0
#include "keys/bootstrap_budget.hpp"

#include "base/encoding.hpp"
#include "base/hash.hpp"

#include <algorithm>

namespace mtkey::keys {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kMinute = std::chrono::minutes(1);
constexpr milliseconds kHour = std::chrono::hours(1);
constexpr milliseconds kDay = std::chrono::hours(24);
constexpr std::size_t kTagOctets = 8;

/// Until fewer than `limit` of `times` (oldest first) are younger than `span`.
milliseconds until_below(const std::vector<BootTime>& times, milliseconds span, unsigned limit,
                         BootTime now) {
    if (times.size() < limit) {
        return milliseconds(0);
    }
    return std::max(times[times.size() - limit] + span - now, milliseconds(0));
}

milliseconds until_allowed(const std::vector<BootTime>& times, const RunLimits& limits,
                           BootTime now) {
    return std::max({until_below(times, kMinute, limits.per_minute, now),
                     until_below(times, kHour, limits.per_hour, now),
                     until_below(times, kDay, limits.per_day, now)});
}

RunLimits of_one_device(const RunLimits& all) {
    return {.per_minute = all.per_minute,
            .per_hour = std::max(1U, all.per_hour * 3 / 10),
            .per_day = std::max(1U, all.per_day / 5)};
}

RunLimits when_forced(const RunLimits& all) {
    return {.per_minute = all.per_minute,
            .per_hour = all.per_hour - all.per_hour / 5,
            .per_day = all.per_day - all.per_day / 5};
}

} // namespace

std::string device_tag(std::string_view device_id) {
    const auto digest = sha256({as_octets(device_id)});
    return to_hex(ByteView(digest).first(kTagOctets));
}

BootstrapBudget::BootstrapBudget(const RunLimits& limits, const Clock& clock)
    : limits_(limits), clock_(clock) {}

void BootstrapBudget::restore(std::vector<BegunRun> runs) {
    runs_ = std::move(runs);
    const auto now = clock_.boot_now();
    for (auto& run : runs_) {
        run.at = std::min(run.at, now);
    }
    std::ranges::sort(runs_, {}, &BegunRun::at);
    trim();
}

void BootstrapBudget::assume_busy_past() {
    runs_.clear();
    const auto step = kHour / limits_.per_hour;
    for (unsigned i = limits_.per_hour - 1; i > 0; --i) {
        runs_.push_back({clock_.boot_now() - step * i, {}});
    }
    // A minute of that hour must not be too busy for the one.
    std::erase_if(runs_, [&](const BegunRun& run) { return clock_.boot_now() - run.at < kMinute; });
}

milliseconds BootstrapBudget::wait(std::string_view device_tag, bool forced) const {
    const auto now = clock_.boot_now();
    std::vector<BootTime> all;
    std::vector<BootTime> own;
    for (const auto& run : runs_) {
        all.push_back(run.at);
        if (run.device == device_tag) {
            own.push_back(run.at);
        }
    }
    return std::max(until_allowed(all, forced ? when_forced(limits_) : limits_, now),
                    until_allowed(own, of_one_device(limits_), now));
}

void BootstrapBudget::spend(std::string device_tag) {
    runs_.push_back({clock_.boot_now(), std::move(device_tag)});
    trim();
}

milliseconds BootstrapBudget::least_age() const {
    return kMinute / limits_.per_minute;
}

void BootstrapBudget::trim() {
    const auto now = clock_.boot_now();
    std::erase_if(runs_, [&](const BegunRun& run) { return now - run.at >= kDay; });
    // As many as a limit can ask about: so many in a day, and no more are let through anyway.
    const std::size_t most = std::max({limits_.per_minute, limits_.per_hour, limits_.per_day});
    if (runs_.size() > most) {
        runs_.erase(runs_.begin(), runs_.end() - static_cast<std::ptrdiff_t>(most));
    }
}

} // namespace mtkey::keys
