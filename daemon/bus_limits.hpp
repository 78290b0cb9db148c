// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <string>

// What one caller may cost the others (threats P3).
namespace mtkey::daemon {

/// So many at a time, for one holder and for all of them. Counts who holds how many.
class Seats {
public:
    using Seat = std::shared_ptr<void>; ///< free again with the last copy; may outlive the Seats
    Seats(std::size_t per_holder, std::size_t in_all);
    /// Nothing when none is free.
    [[nodiscard]] Seat take(const std::string& holder);

private:
    using Taken = std::map<std::string, std::size_t>;
    std::size_t per_holder_;
    std::size_t in_all_;
    std::shared_ptr<Taken> taken_ = std::make_shared<Taken>();
};

/// How often each sender may call: a bucket that holds `burst` and fills by `per_second`. Owns the
/// buckets that are not full; of more senders than kMost at a time the one that called least is
/// forgotten.
class CallRate {
public:
    static constexpr std::size_t kMost = 512;
    CallRate(const Clock& clock, unsigned per_second, unsigned burst);
    /// One call more; false when it is too much.
    [[nodiscard]] bool admit(const std::string& sender);
    [[nodiscard]] std::size_t known() const { return full_at_.size(); }

private:
    void make_room(BootTime now);
    const Clock& clock_;
    BootClock::duration one_;   ///< what a call takes to be made up for
    BootClock::duration burst_; ///< and a whole bucket
    std::map<std::string, BootTime> full_at_;
};

} // namespace mtkey::daemon
