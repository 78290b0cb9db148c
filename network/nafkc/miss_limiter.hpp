// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"

#include <map>
#include <mutex>
#include <string>

namespace mtkey::nafkc {

/// Who asks for many B-TIDs that nobody knows is guessing: after kMostMisses within kWindow a
/// device waits for the end of the window. Counts by Device_ID, which the certificate has proved.
/// Safe from several threads.
class MissLimiter {
public:
    static constexpr unsigned kMostMisses = 20;
    static constexpr std::chrono::milliseconds kWindow = std::chrono::minutes(10);
    static constexpr std::size_t kLimit = 4096; ///< devices

    /// Time to wait, 0 = none.
    [[nodiscard]] std::chrono::seconds wait(const std::string& device_id, BootTime now);
    void miss(const std::string& device_id, BootTime now);

private:
    struct Window {
        BootTime start;
        unsigned misses = 0;
    };
    std::mutex mutex_;
    std::map<std::string, Window> windows_;
};

} // namespace mtkey::nafkc
