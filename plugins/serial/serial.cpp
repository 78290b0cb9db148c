// SPDX-License-Identifier: Apache-2.0
#include "plugins/serial/tty.hpp"
#include "transports/transport_plugin.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <expected>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <utility>

using mtkey::plugins::serial::open_tty;
using mtkey::plugins::serial::speed_constant;
using mtkey::plugins::serial::TtySettings;

namespace {

constexpr long kFirstDelayMs = 200;
constexpr long kLongestDelayMs = 5000;
constexpr long kMostAtOnce = 20; // connections

/// How long to wait after a failure: twice as long after each one.
class Delay {
public:
    long next() { return std::exchange(ms_, std::min(ms_ * 2, kLongestDelayMs)); }
    void reset() { ms_ = kFirstDelayMs; }

private:
    long ms_ = kFirstDelayMs;
};

/// How long to wait after a connection: a line that is at its end at once, or echoes, gets
/// kMostAtOnce of them and then one in kLongestDelayMs, and so does a device in a hurry, which is
/// not to be told from it here.
class Pace {
public:
    long next() {
        const auto now = std::chrono::steady_clock::now();
        made_up_for_ = std::max(made_up_for_, now) + kOne;
        const auto over =
            std::chrono::ceil<std::chrono::milliseconds>(made_up_for_ - now) - kMostAtOnce * kOne;
        return std::max<long>(kFirstDelayMs, over.count());
    }

private:
    static constexpr std::chrono::milliseconds kOne{kLongestDelayMs};
    std::chrono::steady_clock::time_point made_up_for_{};
};

} // namespace

/// Owns epoll and timer. A tty has no connections: one is announced whenever the tty could be
/// opened, and the descriptor given away with it; until `released` the plugin holds nothing of the
/// tty. Both roles do the same.
struct mt_transport_instance {
    mt_transport_instance(const mt_transport_host& program, mt_transport_role its_role,
                          TtySettings chosen)
        : host(program),
          role(its_role),
          settings(std::move(chosen)),
          epoll(::epoll_create1(EPOLL_CLOEXEC)),
          timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {}
    mt_transport_instance(const mt_transport_instance&) = delete;
    mt_transport_instance& operator=(const mt_transport_instance&) = delete;
    ~mt_transport_instance() {
        if (timer >= 0) {
            ::close(timer);
        }
        if (epoll >= 0) {
            ::close(epoll);
        }
    }

    [[nodiscard]] bool ready() const {
        epoll_event interest{};
        interest.events = EPOLLIN;
        return epoll >= 0 && timer >= 0 && ::epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &interest) == 0;
    }

    /// The next try; 0 ms = at the next dispatch.
    void try_in(long milliseconds) const {
        itimerspec when{};
        when.it_value.tv_sec = milliseconds / 1000;
        when.it_value.tv_nsec = std::max(1L, milliseconds % 1000 * 1'000'000L);
        ::timerfd_settime(timer, 0, &when, nullptr);
    }

    void on_timer() {
        if (given_away) {
            return;
        }
        auto tty = open_tty(settings);
        if (!tty) {
            // Said once, not at every try.
            if (tty.error() != last_problem) {
                last_problem = tty.error();
                host.log(host.context, 4, last_problem.c_str());
                host.state(host.context, MT_TRANSPORT_FAILED, last_problem.c_str());
            }
            try_in(after_failure.next());
            return;
        }
        last_problem.clear();
        after_failure.reset();
        given_away = true; // before the callback: the program may release from within
        host.state(host.context, MT_TRANSPORT_READY, settings.device.c_str());
        mt_transport_link link{};
        link.size = sizeof link;
        link.peer = settings.device.c_str();
        link.reliable = 0;
        link.bonded = 0;
        link.role = static_cast<std::uint8_t>(role);
        if (host.connected(host.context, *tty, &link) != 0) {
            given_away = false;
            try_in(after_link.next());
        }
    }

    void on_release() {
        given_away = false;
        host.state(host.context, MT_TRANSPORT_STARTING, settings.device.c_str());
        try_in(after_link.next());
    }

    const mt_transport_host& host;
    mt_transport_role role;
    TtySettings settings;
    int epoll;
    int timer;
    Delay after_failure; ///< the tty could not be opened
    Pace after_link;     ///< it could, and its connection has ended
    bool given_away = false;
    std::string last_problem;
};

namespace {

std::expected<TtySettings, std::string> parse(const mt_transport_option* options,
                                              std::size_t count) {
    TtySettings settings;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string_view key = options[i].key;
        const std::string value = options[i].value;
        if (key == "device") {
            settings.device = value;
        } else if (key == "baud") {
            settings.speed = speed_constant(value);
            if (settings.speed == B0) {
                return std::unexpected("baud = " + value +
                                       " is not a speed of this system; try 115200");
            }
        } else if (key == "exclusive" && (value == "true" || value == "false")) {
            settings.exclusive = value == "true";
        } else if (key == "exclusive") {
            return std::unexpected("exclusive must be true or false");
        } else {
            return std::unexpected("unknown key '" + std::string(key) +
                                   "'; known are device, baud, exclusive");
        }
    }
    if (settings.device.empty() || settings.device.front() != '/') {
        return std::unexpected("device must be set to an absolute path, like /dev/ttyUSB0");
    }
    return settings;
}

mt_transport_instance* create(const mt_transport_host* host, mt_transport_role role,
                              const mt_transport_option* options, std::size_t count) noexcept {
    try {
        auto settings = parse(options, count);
        if (!settings) {
            host->state(host->context, MT_TRANSPORT_FAILED, settings.error().c_str());
            return nullptr;
        }
        auto instance = std::make_unique<mt_transport_instance>(*host, role, std::move(*settings));
        if (!instance->ready()) {
            host->state(host->context, MT_TRANSPORT_FAILED, std::strerror(errno));
            return nullptr;
        }
        host->state(host->context, MT_TRANSPORT_STARTING, instance->settings.device.c_str());
        instance->try_in(0);
        return instance.release();
    } catch (...) {
        host->state(host->context, MT_TRANSPORT_FAILED, "out of memory");
        return nullptr;
    }
}

int poll_fd(mt_transport_instance* instance) noexcept {
    return instance->epoll;
}

void dispatch(mt_transport_instance* instance) noexcept {
    std::uint64_t expirations = 0;
    if (::read(instance->timer, &expirations, sizeof expirations) != sizeof expirations) {
        return;
    }
    try {
        instance->on_timer();
    } catch (...) {
        instance->host.state(instance->host.context, MT_TRANSPORT_FAILED, "out of memory");
        instance->try_in(instance->after_failure.next());
    }
}

void released(mt_transport_instance* instance, const char*) noexcept {
    if (instance->given_away) {
        instance->on_release();
    }
}

void destroy(mt_transport_instance* instance) noexcept {
    instance->host.state(instance->host.context, MT_TRANSPORT_STOPPED, nullptr);
    delete instance;
}

} // namespace

extern "C" __attribute__((visibility("default")))
const mt_transport_plugin mt_transport_plugin_v1 = {
    MT_TRANSPORT_ABI,
    sizeof(mt_transport_plugin),
    "serial",
    "a tty: serial port, USB serial adapter, IR dongle, pseudo-terminal",
    "device: absolute path of the tty (required)\n"
    "baud: speed, default 115200\n"
    "exclusive: lock the tty against other programs, default true\n",
    create,
    poll_fd,
    dispatch,
    released,
    destroy,
};
