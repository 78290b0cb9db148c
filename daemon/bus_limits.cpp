// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus_limits.hpp"

#include <algorithm>
#include <numeric>

namespace mtkey::daemon {

Seats::Seats(std::size_t per_holder, std::size_t in_all)
    : per_holder_(per_holder), in_all_(in_all) {}

Seats::Seat Seats::take(const std::string& holder) {
    const auto all = std::accumulate(
        taken_->begin(), taken_->end(), std::size_t{0},
        [](std::size_t sum, const Taken::value_type& entry) { return sum + entry.second; });
    const auto found = taken_->find(holder);
    if (all >= in_all_ || (found != taken_->end() && found->second >= per_holder_)) {
        return {};
    }
    const auto entry = found != taken_->end() ? found : taken_->emplace(holder, 0).first;
    ++entry->second;
    return {static_cast<void*>(&entry->second), [taken = taken_, entry](void*) {
                if (--entry->second == 0) {
                    taken->erase(entry);
                }
            }};
}

CallRate::CallRate(const Clock& clock, unsigned per_second, unsigned burst)
    : clock_(clock),
      one_(std::chrono::duration_cast<BootClock::duration>(std::chrono::seconds(1)) / per_second),
      burst_(one_ * burst) {}

bool CallRate::admit(const std::string& sender) {
    const auto now = clock_.boot_now();
    auto found = full_at_.find(sender);
    if (found == full_at_.end()) {
        make_room(now);
        found = full_at_.emplace(sender, now).first;
    }
    const auto then = std::max(found->second, now) + one_;
    if (then - now > burst_) {
        return false;
    }
    found->second = then;
    return true;
}

void CallRate::make_room(BootTime now) {
    if (full_at_.size() < kMost) {
        return;
    }
    std::erase_if(full_at_, [&](const auto& entry) { return entry.second <= now; });
    if (full_at_.size() >= kMost) {
        full_at_.erase(
            std::ranges::min_element(full_at_, {}, [](const auto& entry) { return entry.second; }));
    }
}

} // namespace mtkey::daemon
