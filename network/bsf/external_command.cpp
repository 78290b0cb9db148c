// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/external_command.hpp"

#include "base/file.hpp"
#include "base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace mtkey::bsf {
namespace {

using Deadline = std::chrono::steady_clock::time_point;

constexpr auto kMostAfterKill = std::chrono::seconds(1);
constexpr std::size_t kMostLeft = 16;

struct Pipe {
    UniqueFd read;
    UniqueFd write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return fail(Errc::IoFailed, std::string("pipe: ") + std::strerror(errno));
    }
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// False when the time is over.
bool wait_readable(int fd, Deadline deadline) {
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        pollfd waited{.fd = fd, .events = POLLIN, .revents = 0};
        const int got = left.count() <= 0 ? 0 : ::poll(&waited, 1, static_cast<int>(left.count()));
        if (got >= 0 || errno != EINTR) {
            return got > 0;
        }
    }
}

/// Owns the numbers of children that did not end when they were killed: another user's by now, or
/// in the middle of something that cannot be interrupted.
class Left {
public:
    void add(pid_t pid) {
        const std::lock_guard lock(mutex_);
        pids_.push_back(pid);
    }
    /// Takes leave of those that have ended meanwhile; how many have not.
    std::size_t reap() {
        const std::lock_guard lock(mutex_);
        std::erase_if(pids_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
        return pids_.size();
    }

private:
    std::mutex mutex_;
    std::vector<pid_t> pids_;
};

Left& left_over() {
    static Left left;
    return left;
}

/// Owns a child that began as the leader of a process group; the destructor leaves nothing of both
/// that can be killed.
class Child {
public:
    explicit Child(pid_t pid)
        : pid_(pid), ended_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
    ~Child() { (void)end(); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    /// Readable when the child has ended.
    [[nodiscard]] int ended_fd() const { return ended_.get(); }

    /// Kills what is left of the group and takes the child's wait status.
    int end() {
        if (pid_ > 0) {
            // The child is not reaped yet: its number is nobody else's. It may be in another group.
            ::kill(-pid_, SIGKILL);
            ::kill(pid_, SIGKILL);
            (void)wait_readable(ended_.get(), std::chrono::steady_clock::now() + kMostAfterKill);
            if (::waitpid(pid_, &status_, WNOHANG) == 0) {
                left_over().add(pid_);
            }
            pid_ = -1;
        }
        return status_;
    }

private:
    pid_t pid_;
    int status_ = 0;
    UniqueFd ended_;
};

class SpawnSettings {
public:
    SpawnSettings() {
        ::posix_spawn_file_actions_init(&actions_);
        ::posix_spawnattr_init(&attributes_);
    }
    ~SpawnSettings() {
        ::posix_spawn_file_actions_destroy(&actions_);
        ::posix_spawnattr_destroy(&attributes_);
    }
    SpawnSettings(const SpawnSettings&) = delete;
    SpawnSettings& operator=(const SpawnSettings&) = delete;

    /// The number of the child, or errno as a negative number.
    pid_t spawn(const std::vector<std::string>& arguments, int in, int out) {
        sigset_t none;
        sigset_t defaults;
        ::sigemptyset(&none);
        ::sigemptyset(&defaults);
        ::sigaddset(&defaults, SIGPIPE);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        ::posix_spawnattr_setsigdefault(&attributes_, &defaults);
        ::posix_spawnattr_setpgroup(&attributes_, 0);
        ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                     POSIX_SPAWN_SETPGROUP);
        ::posix_spawn_file_actions_adddup2(&actions_, in, STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions_, out, STDOUT_FILENO);
        // Sockets of the HTTP library do not close by themselves.
        ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
        std::vector<char*> argv;
        for (const auto& argument : arguments) {
            argv.push_back(const_cast<char*>(argument.c_str()));
        }
        argv.push_back(nullptr);
        std::string path = "PATH=/usr/local/bin:/usr/bin:/bin";
        const std::array<char*, 2> environment{path.data(), nullptr};
        pid_t pid = -1;
        const int code = ::posix_spawn(&pid, argv.front(), &actions_, &attributes_, argv.data(),
                                       environment.data());
        return code == 0 ? pid : -code;
    }

private:
    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

Result<SecretBytes> read_output(int fd, std::size_t most, Deadline deadline) {
    SecretBytes space(most + 1);
    std::size_t used = 0;
    while (used <= most) {
        if (!wait_readable(fd, deadline)) {
            return fail(Errc::TimedOut, "no end of its output in time");
        }
        const auto rest = space.reveal_writable().subspan(used);
        const auto got = ::read(fd, rest.data(), rest.size());
        if (got < 0 && errno != EINTR) {
            return fail(Errc::IoFailed, std::string("its output: ") + std::strerror(errno));
        }
        if (got == 0) {
            return SecretBytes(space.reveal().first(used));
        }
        used += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    }
    return fail(Errc::LimitExceeded, "it wrote more than " + std::to_string(most) + " octets");
}

Result<SecretBytes> run(const ExternalCommand& command, ByteView input) {
    const Deadline deadline = std::chrono::steady_clock::now() + command.limit;
    if (left_over().reap() >= kMostLeft) {
        return fail(Errc::LimitExceeded, "too many of its earlier runs cannot be ended");
    }
    auto in = MTKEY_TRY(make_pipe());
    auto out = MTKEY_TRY(make_pipe());
    // Before there is a child: a pipe holds 4 KiB at least, and whoever reads none of it is no
    // SIGPIPE to us.
    MTKEY_CHECK(write_all(in.write.get(), input));
    in.write.reset();
    const auto pid = SpawnSettings().spawn(command.arguments, in.read.get(), out.write.get());
    if (pid < 0) {
        return fail(Errc::IoFailed, std::string("cannot be started: ") + std::strerror(-pid),
                    static_cast<std::uint32_t>(-pid));
    }
    Child child(pid);
    in.read.reset();
    out.write.reset();
    auto output = MTKEY_TRY(read_output(out.read.get(), command.most_output, deadline));
    if (child.ended_fd() < 0 || !wait_readable(child.ended_fd(), deadline)) {
        return fail(Errc::TimedOut, "it did not end in time");
    }
    const int status = child.end();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return fail(Errc::IoFailed, WIFEXITED(status)
                                        ? "exit status " + std::to_string(WEXITSTATUS(status))
                                        : "ended by signal " + std::to_string(WTERMSIG(status)));
    }
    return output;
}

} // namespace

Result<SecretBytes> run_command(const ExternalCommand& command, ByteView input) {
    auto output = run(command, input);
    if (!output) {
        output.error().context = command.arguments.front() + ": " + output.error().context;
    }
    return output;
}

} // namespace mtkey::bsf
