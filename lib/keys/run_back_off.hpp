// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/result.hpp"

#include <chrono>
#include <optional>

namespace mtkey::keys {

/// How long no bootstrapping is tried after one that failed, by its cause: BSF not reached 2 s;
/// 5xx, nonsense or a MAC failure 30 s; 403 ten minutes; twice as long each time that it fails like
/// this again, an hour at most, less up to a quarter by chance, so that many terminals do not come
/// back at once. What the card or its absence causes costs nothing: no network is involved.
class RunBackOff {
public:
    static constexpr std::chrono::hours kLongest{1};

    RunBackOff(const Clock& clock, RandomSource& random) : clock_(clock), random_(random) {}

    /// `retry_after`: what the BSF has asked for; it wins, up to kLongest.
    void failed(const Error& error, std::optional<std::chrono::seconds> retry_after = {});
    /// After a success, with another card, or when the administrator wants to try.
    void reset();
    /// 0 = now.
    [[nodiscard]] std::chrono::milliseconds wait() const;

private:
    [[nodiscard]] std::chrono::milliseconds jitter(std::chrono::milliseconds delay);
    const Clock& clock_;
    RandomSource& random_;
    std::chrono::milliseconds delay_{0};
    BootTime until_{};
};

} // namespace mtkey::keys
