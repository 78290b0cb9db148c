// SPDX-License-Identifier: Apache-2.0
#include "daemon/reactor.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <map>
#include <optional>
#include <sys/timerfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace mtkey::daemon {

namespace asio = boost::asio;

namespace {

/// All timers of the loop on one timerfd of CLOCK_BOOTTIME: Asio's own stand still in suspend, when
/// keys do expire. Owns the descriptor and what is to be done when.
class TimerQueue {
public:
    using Entry = std::multimap<BootTime, std::function<void()>>::iterator;

    explicit TimerQueue(asio::io_context& io) : descriptor_(io, open()) { wait(); }

    Entry add(BootTime when, std::function<void()> fire) {
        const auto entry = due_.emplace(when, std::move(fire));
        if (entry == due_.begin()) {
            arm();
        }
        return entry;
    }
    void remove(Entry entry) {
        const bool first = entry == due_.begin();
        due_.erase(entry);
        if (first) {
            arm();
        }
    }

private:
    static int open() {
        const int fd = ::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        if (fd < 0) {
            throw std::system_error(errno, std::generic_category(), "timerfd");
        }
        return fd;
    }
    void arm() {
        itimerspec next{}; // all zero: disarmed
        if (!due_.empty()) {
            const auto when =
                std::max(due_.begin()->first.time_since_epoch(), BootClock::duration(1));
            const auto seconds = std::chrono::floor<std::chrono::seconds>(when);
            next.it_value.tv_sec = seconds.count();
            next.it_value.tv_nsec = std::chrono::nanoseconds(when - seconds).count();
        }
        ::timerfd_settime(descriptor_.native_handle(), TFD_TIMER_ABSTIME, &next, nullptr);
    }
    void wait() {
        descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                               [this](const boost::system::error_code& error) {
                                   if (!error) {
                                       fire();
                                       wait();
                                   }
                               });
    }
    void fire() {
        std::uint64_t times = 0;
        [[maybe_unused]] const auto got = ::read(descriptor_.native_handle(), &times, sizeof times);
        // Those that are due by now: what they add is for the next turn.
        const auto now = SystemClock().boot_now();
        for (auto most = due_.size(); most > 0 && !due_.empty() && due_.begin()->first <= now;
             --most) {
            const auto node = due_.extract(due_.begin());
            node.mapped()();
        }
        arm();
    }

    asio::posix::stream_descriptor descriptor_;
    std::multimap<BootTime, std::function<void()>> due_;
};

} // namespace

struct Reactor::Impl {
    asio::io_context io{1};
    asio::signal_set signals{io};
    TimerQueue timers{io};
    int status = 0;

    void await_signal(const std::function<void(int)>& fire) {
        signals.async_wait([this, fire](const boost::system::error_code& error, int number) {
            if (!error) {
                fire(number);
                await_signal(fire);
            }
        });
    }
};

namespace {

class WatchImpl final : public Reactor::Watch {
public:
    WatchImpl(asio::io_context& io, int fd, std::function<void(bool, bool)> ready)
        : state_(std::make_shared<State>(io, fd, std::move(ready))) {
        State::arm_read(state_);
    }
    WatchImpl(const WatchImpl&) = delete;
    WatchImpl& operator=(const WatchImpl&) = delete;
    ~WatchImpl() override {
        state_->gone = true;
        state_->descriptor.cancel();
        static_cast<void>(state_->descriptor.release()); // borrowed: not ours to close
    }
    void want_write(bool wanted) override {
        state_->write_wanted = wanted;
        if (wanted && !state_->write_armed) {
            State::arm_write(state_);
        }
    }
    void want_read(bool wanted) override {
        state_->read_wanted = wanted;
        if (wanted && !state_->read_armed) {
            State::arm_read(state_);
        }
    }

private:
    // Shared with the handlers under way, which may outlive the Watch by one turn of the loop.
    struct State {
        State(asio::io_context& io, int fd, std::function<void(bool, bool)> callback)
            : descriptor(io, fd), ready(std::move(callback)) {}
        asio::posix::stream_descriptor descriptor;
        std::function<void(bool, bool)> ready;
        bool gone = false;
        bool read_wanted = true;
        bool read_armed = false;
        bool write_wanted = false;
        bool write_armed = false;

        static void arm_read(const std::shared_ptr<State>& self) {
            self->read_armed = true;
            self->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                        [self](const boost::system::error_code& error) {
                                            self->read_armed = false;
                                            if (error || self->gone || !self->read_wanted) {
                                                return;
                                            }
                                            self->ready(true, false);
                                            if (!self->gone && self->read_wanted &&
                                                !self->read_armed) {
                                                arm_read(self);
                                            }
                                        });
        }
        static void arm_write(const std::shared_ptr<State>& self) {
            self->write_armed = true;
            self->descriptor.async_wait(asio::posix::stream_descriptor::wait_write,
                                        [self](const boost::system::error_code& error) {
                                            self->write_armed = false;
                                            if (error || self->gone || !self->write_wanted) {
                                                return;
                                            }
                                            self->ready(false, true);
                                            if (!self->gone && self->write_wanted &&
                                                !self->write_armed) {
                                                arm_write(self);
                                            }
                                        });
        }
    };
    std::shared_ptr<State> state_;
};

class TimerImpl final : public Reactor::Timer {
public:
    explicit TimerImpl(TimerQueue& queue) : queue_(queue) {}
    TimerImpl(const TimerImpl&) = delete;
    TimerImpl& operator=(const TimerImpl&) = delete;
    ~TimerImpl() override { cancel(); }
    void at(BootTime when, std::function<void()> fire) override {
        cancel();
        // Its entry is gone when it fires; `fire` may set this timer anew or destroy it.
        entry_ = queue_.add(when, [this, fire = std::move(fire)] {
            entry_.reset();
            fire();
        });
    }
    void cancel() override {
        if (entry_) {
            queue_.remove(*std::exchange(entry_, std::nullopt));
        }
    }

private:
    TimerQueue& queue_;
    std::optional<TimerQueue::Entry> entry_;
};

} // namespace

Reactor::Reactor() : impl_(std::make_unique<Impl>()) {}
Reactor::~Reactor() = default;

int Reactor::run() {
    const auto guard = asio::make_work_guard(impl_->io);
    impl_->io.run();
    return impl_->status;
}

void Reactor::stop(int status) {
    asio::post(impl_->io, [this, status] {
        impl_->status = status;
        impl_->io.stop();
    });
}

void Reactor::drain() {
    // In the order of posting: behind this one stands only what came later.
    bool last = false;
    asio::post(impl_->io, [&last] { last = true; });
    impl_->io.restart();
    while (!last) {
        if (impl_->io.run_one() == 0) { // one more stop() was among them
            impl_->io.restart();
        }
    }
}

void Reactor::post(std::function<void()> work) {
    asio::post(impl_->io, std::move(work));
}

std::unique_ptr<Reactor::Watch> Reactor::watch(int fd, std::function<void(bool, bool)> ready) {
    return std::make_unique<WatchImpl>(impl_->io, fd, std::move(ready));
}

std::unique_ptr<Reactor::Timer> Reactor::timer() {
    return std::make_unique<TimerImpl>(impl_->timers);
}

void Reactor::on_termination(std::function<void(int)> fire) {
    impl_->signals.add(SIGTERM);
    impl_->signals.add(SIGINT);
    impl_->await_signal(fire);
}

} // namespace mtkey::daemon
