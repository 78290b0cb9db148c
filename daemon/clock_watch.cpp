// SPDX-License-Identifier: Apache-2.0
#include "daemon/clock_watch.hpp"

#include "base/log.hpp"

#include <cerrno>
#include <cstring>
#include <limits>
#include <sys/timerfd.h>
#include <unistd.h>

namespace mtkey::daemon {

ClockWatch::ClockWatch(Reactor& reactor, std::function<void()> was_set)
    : was_set_(std::move(was_set)),
      timer_(::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {
    if (!arm()) {
        log(LogLevel::Warning, "changes of the wall clock will not be noticed at once",
            {{"why", std::strerror(errno)}});
        return;
    }
    watch_ = reactor.watch(timer_.get(), [this](bool, bool) { on_readable(); });
}

/// It never fires by time: setting the clock is all that it can tell.
bool ClockWatch::arm() {
    itimerspec never{};
    never.it_value.tv_sec = std::numeric_limits<time_t>::max();
    return timer_.get() >= 0 &&
           ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never,
                             nullptr) == 0;
}

void ClockWatch::on_readable() {
    std::uint64_t times = 0;
    const auto got = ::read(timer_.get(), &times, sizeof times);
    const bool set = got < 0 && errno == ECANCELED;
    if (!arm()) {
        watch_.reset();
    }
    if (set) {
        log(LogLevel::Notice, "the wall clock was set");
        was_set_();
    }
}

} // namespace mtkey::daemon
