// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"

#include <functional>
#include <memory>

namespace mtkey::daemon {

/// The main thread's event loop. Owns the io_context; hides Asio, which only reactor.cpp sees.
/// Everything but post() and stop() belongs to the thread that runs it.
class Reactor {
public:
    Reactor();
    ~Reactor();
    Reactor(const Reactor&) = delete;
    Reactor& operator=(const Reactor&) = delete;

    /// Runs until stop(); the argument of stop() is returned.
    int run();
    void stop(int status);
    /// After run(): does what had been posted by now. Answers in it need what they go out by.
    void drain();
    /// From any thread.
    void post(std::function<void()> work);

    /// A descriptor that is watched while this object lives; the descriptor is borrowed and must
    /// outlive it.
    class Watch {
    public:
        virtual ~Watch() = default;
        /// Readable is always watched; writable only while wanted.
        virtual void want_write(bool wanted) = 0;
        virtual void want_read(bool wanted) = 0;
    };
    /// `ready(readable, writable)`; errors and hang-ups count as readable. May destroy its own
    /// Watch.
    std::unique_ptr<Watch> watch(int fd, std::function<void(bool readable, bool writable)> ready);

    class Timer {
    public:
        virtual ~Timer() = default;
        /// Replaces what was set before. A time in the past fires at once, from the loop.
        virtual void at(BootTime when, std::function<void()> fire) = 0;
        virtual void cancel() = 0;
    };
    std::unique_ptr<Timer> timer();

    /// `fire(signal)` for each of SIGTERM, SIGINT.
    void on_termination(std::function<void(int)> fire);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace mtkey::daemon
