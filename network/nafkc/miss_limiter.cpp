// SPDX-License-Identifier: Apache-2.0
#include "network/nafkc/miss_limiter.hpp"

namespace mtkey::nafkc {

std::chrono::seconds MissLimiter::wait(const std::string& device_id, BootTime now) {
    const std::lock_guard lock(mutex_);
    const auto found = windows_.find(device_id);
    if (found == windows_.end() || now - found->second.start >= kWindow ||
        found->second.misses < kMostMisses) {
        return std::chrono::seconds(0);
    }
    return std::chrono::ceil<std::chrono::seconds>(found->second.start + kWindow - now);
}

void MissLimiter::miss(const std::string& device_id, BootTime now) {
    const std::lock_guard lock(mutex_);
    if (windows_.size() >= kLimit && !windows_.contains(device_id)) {
        std::erase_if(windows_,
                      [now](const auto& pair) { return now - pair.second.start >= kWindow; });
        if (windows_.size() >= kLimit) {
            return; // thousands of certified devices at once: not one that guesses
        }
    }
    auto& window = windows_.try_emplace(device_id, Window{now, 0}).first->second;
    if (now - window.start >= kWindow) {
        window = {now, 0};
    }
    ++window.misses;
}

} // namespace mtkey::nafkc
