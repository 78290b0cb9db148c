// SPDX-License-Identifier: Apache-2.0
// Transport plugin over a UNIX socket: the template for new plugins, and a test double of a
// reliable link.
//
// What every plugin does, and where it stands here:
//  1. Include transports/transport_plugin.h, the system's library and nothing else.          (the
//  includes)
//  2. Keep everything of an instance in one object that owns one epoll descriptor; whatever it
//  waits for, timers too,
//     is registered there. No threads, no signals, no globals: several instances may run.
//     (mt_transport_instance)
//  3. create: read the options, refuse unknown ones with a sentence that names the remedy, announce
//  STARTING, arm the
//     first work and return. Connections are announced from dispatch only. (create)
//  4. dispatch: never block; take what is ready, give descriptors away with `connected`. (dispatch)
//     From then on the descriptor is the program's, even when it refuses it.
//  5. released: the program has closed a connection; make the next one possible. (released)
//  6. Let no exception out: the functions are called from another module. (noexcept, try)
//  7. Export `mt_transport_plugin_v1` alone: transport.map and tests/lint/plugin_symbols.py see to
//  that.
#include "transports/transport_plugin.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace {

constexpr long kFirstDelayMs = 200;
constexpr long kLongestDelayMs = 5000;
constexpr int kBacklog = 8;

/// Owns one descriptor. A plugin sees none of the program's classes, so it brings its own.
class Descriptor {
public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool valid() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }

private:
    int fd_;
};

struct Address {
    sockaddr_un name{};
    socklen_t size = 0;
    bool abstract = false;
};

/// "/path" is a socket in the file system, "@name" one of the abstract name space (unix(7)).
std::expected<Address, std::string> parse_path(std::string_view path) {
    Address address;
    if (path.size() < 2 || (path.front() != '/' && path.front() != '@')) {
        return std::unexpected("path must be set: an absolute path, or @name");
    }
    if (path.size() >= sizeof address.name.sun_path) {
        return std::unexpected("path is longer than a socket address can be");
    }
    address.abstract = path.front() == '@';
    address.name.sun_family = AF_UNIX;
    std::memcpy(address.name.sun_path, path.data(), path.size());
    if (address.abstract) {
        address.name.sun_path[0] = '\0';
    }
    address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() +
                                          (address.abstract ? 0 : 1));
    return address;
}

} // namespace

/// Listening: owns the socket and its path. Connecting: owns nothing but the timer of the next try.
struct mt_transport_instance {
    mt_transport_instance(const mt_transport_host& program, mt_transport_role its_role,
                          std::string text, const Address& where)
        : host(program),
          role(its_role),
          path(std::move(text)),
          address(where),
          epoll(::epoll_create1(EPOLL_CLOEXEC)),
          timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {}
    mt_transport_instance(const mt_transport_instance&) = delete;
    mt_transport_instance& operator=(const mt_transport_instance&) = delete;
    ~mt_transport_instance() {
        if (listener.valid() && !address.abstract) {
            ::unlink(path.c_str());
        }
    }

    [[nodiscard]] bool watch(int fd) const {
        epoll_event interest{};
        interest.events = EPOLLIN;
        interest.data.fd = fd;
        return ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &interest) == 0;
    }

    /// 0 ms = at the next dispatch.
    void try_in(long milliseconds) const {
        itimerspec when{};
        when.it_value.tv_sec = milliseconds / 1000;
        when.it_value.tv_nsec = std::max(1L, milliseconds % 1000 * 1'000'000L);
        ::timerfd_settime(timer.get(), 0, &when, nullptr);
    }

    void back_off(const std::string& problem) {
        if (problem != last_problem) { // said once, not at every try
            last_problem = problem;
            host.log(host.context, 4, problem.c_str());
            host.state(host.context, MT_TRANSPORT_FAILED, problem.c_str());
        }
        try_in(delay_ms);
        delay_ms = std::min(delay_ms * 2, kLongestDelayMs);
    }

    void announce_ready() {
        last_problem.clear();
        delay_ms = kFirstDelayMs;
        host.state(host.context, MT_TRANSPORT_READY, path.c_str());
    }

    void on_timer() {
        if (role == MT_TRANSPORT_LISTEN && listener.valid()) {
            static_cast<void>(watch(listener.get())); // taken out by accept()
        } else if (role == MT_TRANSPORT_LISTEN) {
            listen();
        } else if (!given_away) {
            connect();
        }
    }

    void listen() {
        Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        remove_dead_socket();
        // The mode of the socket becomes the mode of its path: 0600 from the first moment.
        if (!socket.valid() || ::fchmod(socket.get(), 0600) != 0 ||
            ::bind(socket.get(), generic_address(), address.size) != 0 ||
            ::listen(socket.get(), kBacklog) != 0 || !watch(socket.get())) {
            back_off(path + ": " + std::strerror(errno));
            return;
        }
        listener = std::move(socket);
        announce_ready();
    }

    /// A path that an ended program left behind; one that somebody listens on stays, and bind()
    /// says so.
    void remove_dead_socket() const {
        struct stat status{};
        if (address.abstract || ::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode) ||
            status.st_uid != ::geteuid()) {
            return;
        }
        const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (::connect(probe.get(), generic_address(), address.size) != 0 && errno == ECONNREFUSED) {
            ::unlink(path.c_str());
        }
    }

    void accept() {
        Descriptor socket(
            ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (socket.valid()) {
            static_cast<void>(give_away(std::move(socket)));
        } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            // No descriptors or memory left: the socket stays readable, and a level-triggered loop
            // would spin.
            ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, listener.get(), nullptr);
            try_in(kFirstDelayMs);
        }
    }

    void connect() {
        Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        if (!socket.valid() || ::connect(socket.get(), generic_address(), address.size) != 0) {
            back_off(path + ": " + std::strerror(errno));
            return;
        }
        announce_ready();
        given_away = true; // before the callback: the program may release from within
        if (!give_away(std::move(socket))) {
            given_away = false;
            back_off(path + ": the connection was refused");
        }
    }

    /// Announces a connected socket. Abstract names have no permissions, so each end looks at the
    /// other's user.
    bool give_away(Descriptor socket) {
        ucred credentials{};
        socklen_t size = sizeof credentials;
        if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
            (credentials.uid != 0 && credentials.uid != ::geteuid())) {
            host.log(host.context, 4, "a process of another user was refused");
            return false;
        }
        const std::string peer = "uid:" + std::to_string(credentials.uid);
        mt_transport_link link{};
        link.size = sizeof link;
        link.peer = peer.c_str();
        link.reliable = 1; // nothing is lost or changed: length-prefixed frames
        link.bonded = 0;   // the user id is no proof of which device this is
        link.role = static_cast<std::uint8_t>(role);
        return host.connected(host.context, socket.release(), &link) == 0;
    }

    [[nodiscard]] const sockaddr* generic_address() const {
        return reinterpret_cast<const sockaddr*>(&address.name);
    }

    const mt_transport_host& host;
    mt_transport_role role;
    std::string path;
    Address address;
    Descriptor epoll;
    Descriptor timer;
    Descriptor listener;
    long delay_ms = kFirstDelayMs;
    bool given_away = false; ///< connecting role only; a listener serves any number
    std::string last_problem;
};

namespace {

mt_transport_instance* create(const mt_transport_host* host, mt_transport_role role,
                              const mt_transport_option* options, std::size_t count) noexcept {
    const auto refuse = [host](const char* reason) {
        host->state(host->context, MT_TRANSPORT_FAILED, reason);
        return static_cast<mt_transport_instance*>(nullptr);
    };
    try {
        std::string path;
        for (std::size_t i = 0; i < count; ++i) {
            if (std::string_view(options[i].key) != "path") {
                return refuse(
                    ("unknown key '" + std::string(options[i].key) + "'; known is path").c_str());
            }
            path = options[i].value;
        }
        const auto address = parse_path(path);
        if (!address) {
            return refuse(address.error().c_str());
        }
        auto instance = std::make_unique<mt_transport_instance>(*host, role, path, *address);
        if (!instance->epoll.valid() || !instance->timer.valid() ||
            !instance->watch(instance->timer.get())) {
            return refuse(std::strerror(errno));
        }
        host->state(host->context, MT_TRANSPORT_STARTING, path.c_str());
        instance->try_in(0);
        return instance.release();
    } catch (...) {
        return refuse("out of memory");
    }
}

int poll_fd(mt_transport_instance* instance) noexcept {
    return instance->epoll.get();
}

void dispatch(mt_transport_instance* instance) noexcept {
    epoll_event event{};
    if (::epoll_wait(instance->epoll.get(), &event, 1, 0) != 1) {
        return;
    }
    try {
        if (event.data.fd == instance->timer.get()) {
            std::uint64_t expirations = 0;
            if (::read(instance->timer.get(), &expirations, sizeof expirations) > 0) {
                instance->on_timer();
            }
        } else {
            instance->accept();
        }
    } catch (...) {
        instance->host.state(instance->host.context, MT_TRANSPORT_FAILED, "out of memory");
        instance->try_in(kLongestDelayMs);
    }
}

void released(mt_transport_instance* instance, const char*) noexcept {
    if (instance->given_away) {
        instance->given_away = false;
        instance->host.state(instance->host.context, MT_TRANSPORT_STARTING, instance->path.c_str());
        instance->try_in(kFirstDelayMs);
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
    "loopback",
    "a UNIX socket on this machine: template for plugins and double for tests",
    "path: absolute path of the socket, or @name for the abstract name space (required)\n",
    create,
    poll_fd,
    dispatch,
    released,
    destroy,
};
