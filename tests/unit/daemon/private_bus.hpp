// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.hpp"

#include <condition_variable>
#include <csignal>
#include <fcntl.h>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <poll.h>
#include <sdbus-c++/sdbus-c++.h>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace mtkey::daemon {

/// A dbus-daemon of our own. Owns the process.
class PrivateBus {
public:
    PrivateBus() {
        int pipe[2] = {-1, -1};
        if (::pipe(pipe) != 0) {
            return;
        }
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGTERM);
            ::dup2(pipe[1], 3);
            ::execlp("dbus-daemon", "dbus-daemon", "--session", "--nofork", "--nopidfile",
                     "--print-address=3", static_cast<char*>(nullptr));
            ::_exit(127);
        }
        ::close(pipe[1]);
        char octet = 0;
        while (::read(pipe[0], &octet, 1) == 1 && octet != '\n') {
            address.push_back(octet);
        }
        ::close(pipe[0]);
    }
    ~PrivateBus() {
        if (pid_ > 0) {
            ::kill(pid_, SIGTERM);
            ::waitpid(pid_, nullptr, 0);
        }
    }
    PrivateBus(const PrivateBus&) = delete;
    PrivateBus& operator=(const PrivateBus&) = delete;

    std::string address; ///< "" when there is no dbus-daemon on this machine

private:
    pid_t pid_ = -1;
};

/// What the daemon knows of polkit. Answers as it is told to; keeps what it was asked.
class FakePolkit {
public:
    enum class Answer { Yes, No, Challenge, Wait };
    struct Asked {
        std::string action;
        bool interactive = false;
    };

    explicit FakePolkit(const std::string& address)
        : connection_(sdbus::createSessionBusConnectionWithAddress(address)),
          object_(sdbus::createObject(*connection_, "/org/freedesktop/PolicyKit1/Authority")) {
        object_->registerMethod("CheckAuthorization")
            .onInterface("org.freedesktop.PolicyKit1.Authority")
            .implementedAs([this](Reply&& reply, Subject, std::string action, Details,
                                  std::uint32_t flags, std::string) {
                const std::scoped_lock lock(mutex_);
                asked_.push_back({std::move(action), (flags & 1) != 0});
                if (answer_ == Answer::Wait) {
                    waiting_.emplace(std::move(reply));
                } else {
                    give(reply, answer_);
                }
                changed_.notify_all();
            });
        object_->finishRegistration();
        connection_->requestName("org.freedesktop.PolicyKit1");
        connection_->enterEventLoopAsync();
    }
    ~FakePolkit() {
        connection_->leaveEventLoop();
        waiting_.reset(); // needs the connection
    }
    FakePolkit(const FakePolkit&) = delete;
    FakePolkit& operator=(const FakePolkit&) = delete;

    void set(Answer answer) {
        const std::scoped_lock lock(mutex_);
        answer_ = answer;
    }
    void await_question() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return waiting_.has_value(); });
    }
    void say_yes() {
        const std::scoped_lock lock(mutex_);
        give(*waiting_, Answer::Yes);
        waiting_.reset();
    }
    std::vector<Asked> take() {
        const std::scoped_lock lock(mutex_);
        return std::exchange(asked_, {});
    }

private:
    using Details = std::map<std::string, std::string>;
    using Subject = sdbus::Struct<std::string, std::map<std::string, sdbus::Variant>>;
    using Verdict = sdbus::Struct<bool, bool, Details>;
    using Reply = sdbus::Result<Verdict>;
    static void give(const Reply& reply, Answer answer) {
        reply.returnResults(Verdict(answer == Answer::Yes, answer == Answer::Challenge, Details{}));
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    Answer answer_ = Answer::No;
    std::vector<Asked> asked_;
    std::optional<Reply> waiting_;
    std::unique_ptr<sdbus::IConnection> connection_;
    std::unique_ptr<sdbus::IObject> object_;
};

/// What the daemon knows of logind: one delay lock, and the signal.
class FakeLogind {
public:
    explicit FakeLogind(const std::string& address)
        : connection_(sdbus::createSessionBusConnectionWithAddress(address)),
          object_(sdbus::createObject(*connection_, "/org/freedesktop/login1")) {
        object_->registerMethod("Inhibit").onInterface(kManager).implementedAs(
            [this](std::string what, std::string, std::string, std::string mode) {
                const std::scoped_lock lock(mutex_);
                asked_ = what + " " + mode;
                int pipe[2] = {-1, -1};
                if (::pipe2(pipe, O_CLOEXEC) != 0) {
                    throw sdbus::Error("org.freedesktop.DBus.Error.Failed", "pipe");
                }
                ours_.reset(pipe[0]);
                return sdbus::UnixFd(pipe[1], sdbus::adopt_fd);
            });
        object_->registerSignal("PrepareForSleep").onInterface(kManager).withParameters<bool>();
        object_->finishRegistration();
        connection_->requestName("org.freedesktop.login1");
        connection_->enterEventLoopAsync();
    }
    ~FakeLogind() { connection_->leaveEventLoop(); }
    FakeLogind(const FakeLogind&) = delete;
    FakeLogind& operator=(const FakeLogind&) = delete;

    void say(bool sleeps) {
        object_->emitSignal("PrepareForSleep").onInterface(kManager).withArguments(sleeps);
    }
    /// "" while nobody has a lock.
    std::string held() {
        const std::scoped_lock lock(mutex_);
        pollfd poll{ours_.get(), POLLHUP, 0};
        return ours_.valid() && ::poll(&poll, 1, 0) == 0 ? asked_ : "";
    }

private:
    static constexpr const char* kManager = "org.freedesktop.login1.Manager";
    std::mutex mutex_;
    std::string asked_;
    UniqueFd ours_;
    std::unique_ptr<sdbus::IConnection> connection_;
    std::unique_ptr<sdbus::IObject> object_;
};

} // namespace mtkey::daemon
