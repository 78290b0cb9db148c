// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.hpp"
#include "daemon/reactor.hpp"

#include <functional>
#include <memory>

namespace mtkey::daemon {

/// Tells when somebody has set the wall clock (a person, NTP, NITZ), so that what may be used by it
/// now, or may not any more, is seen at once. Lives and tells on the reactor's thread.
class ClockWatch {
public:
    /// A kernel that cannot tell (timerfd_create(2)) is said in the log; then nothing ever comes.
    ClockWatch(Reactor& reactor, std::function<void()> was_set);

private:
    bool arm();
    void on_readable();

    std::function<void()> was_set_;
    UniqueFd timer_;
    std::unique_ptr<Reactor::Watch> watch_;
};

} // namespace mtkey::daemon
