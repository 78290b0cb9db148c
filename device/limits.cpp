// SPDX-License-Identifier: Apache-2.0
#include "device/limits.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <vector>

namespace mtkey::device {

Result<void> wait_for(std::span<pollfd> waits, const Limits& limits, BootTime until) {
    std::vector<pollfd> all(waits.begin(), waits.end());
    all.push_back({limits.cancel_fd, POLLIN, 0}); // a negative descriptor is left out by poll(2)
    while (true) {
        const BootTime now = limits.clock.boot_now();
        if (now >= limits.end) {
            return fail(Errc::TimedOut, "the whole run took too long");
        }
        if (now >= until) {
            for (auto& wait : waits) {
                wait.revents = 0;
            }
            return {};
        }
        const auto left = std::min({limits.end - now, until - now, BootTime::duration(60'000)});
        const int ready = ::poll(all.data(), all.size(), static_cast<int>(left.count()));
        if (ready < 0 && errno != EINTR) {
            return fail(Errc::IoFailed, std::strerror(errno), static_cast<std::uint32_t>(errno));
        }
        if (ready <= 0) {
            continue;
        }
        if (all.back().revents != 0) {
            return fail(Errc::Cancelled, "cancelled");
        }
        for (std::size_t i = 0; i < waits.size(); ++i) {
            waits[i].revents = all[i].revents;
        }
        return {};
    }
}

} // namespace mtkey::device
