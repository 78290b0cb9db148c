// SPDX-License-Identifier: Apache-2.0
#include "daemon/reactor.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>

namespace mtkey::daemon {

namespace asio = boost::asio;

struct Reactor::Impl {
    asio::io_context io{1};
    asio::signal_set signals{io};
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
    explicit TimerImpl(asio::io_context& io) : io_(io) {}
    TimerImpl(const TimerImpl&) = delete;
    TimerImpl& operator=(const TimerImpl&) = delete;
    ~TimerImpl() override { cancel(); }
    void at(BootTime when, std::function<void()> fire) override {
        cancel();
        // A new timer each time: an old handler that is already queued belongs to the cancelled
        // one.
        state_ = std::make_shared<State>(io_);
        const auto left = std::max(when - SystemClock().boot_now(), BootClock::duration::zero());
        state_->timer.expires_after(left);
        state_->timer.async_wait(
            [state = state_, fire = std::move(fire)](const boost::system::error_code& error) {
                if (!error && !state->cancelled) {
                    fire();
                }
            });
    }
    void cancel() override {
        if (state_) {
            state_->cancelled = true;
            state_->timer.cancel();
            state_.reset();
        }
    }

private:
    struct State {
        explicit State(asio::io_context& io) : timer(io) {}
        asio::steady_timer timer;
        bool cancelled = false;
    };
    asio::io_context& io_;
    std::shared_ptr<State> state_;
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

void Reactor::post(std::function<void()> work) {
    asio::post(impl_->io, std::move(work));
}

std::unique_ptr<Reactor::Watch> Reactor::watch(int fd, std::function<void(bool, bool)> ready) {
    return std::make_unique<WatchImpl>(impl_->io, fd, std::move(ready));
}

std::unique_ptr<Reactor::Timer> Reactor::timer() {
    return std::make_unique<TimerImpl>(impl_->io);
}

void Reactor::on_termination(std::function<void(int)> fire) {
    impl_->signals.add(SIGTERM);
    impl_->signals.add(SIGINT);
    impl_->await_signal(fire);
}

} // namespace mtkey::daemon
