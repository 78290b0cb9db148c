// SPDX-License-Identifier: Apache-2.0
#include "device/link.hpp"

#include <array>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mtkey::device {

Link::Link(transports::Connection connection, const local::SessionSettings& timers,
           RandomSource& random, const Limits& limits)
    : connection_(std::move(connection)),
      limits_(limits),
      session_(local::session_settings(connection_.reliable, connection_.largest_frame, timers),
               random, limits.clock.boot_now()) {}

Link::~Link() {
    try {
        session_.close();
        write_output(); // as far as the link takes it at once
    } catch (...) {     // no memory: the MT notices the end without it, too
    }
}

Result<local::DeviceEvent> Link::next_event() {
    while (true) {
        if (auto event = session_.next_event()) {
            if (const auto* gone = std::get_if<local::PeerGone>(&*event)) {
                return std::unexpected(gone->reason);
            }
            return std::move(*event);
        }
        if (session_.finished()) {
            return fail(Errc::LinkLost, "the session has ended");
        }
        static_cast<void>(MTKEY_TRY(turn(-1)));
    }
}

Result<void> Link::attend(int fd) {
    while (!MTKEY_TRY(turn(fd))) {
    }
    session_.on_time(limits_.clock.boot_now()); // the next request counts its time from now
    return {};
}

Result<void> Link::flush() {
    while (open_) {
        const Bytes more = session_.take_output();
        append(output_, more);
        if (output_.empty()) {
            break;
        }
        static_cast<void>(MTKEY_TRY(turn(-1)));
    }
    return {};
}

Result<bool> Link::turn(int other) {
    write_output();
    if (session_.finished()) {
        open_ = open_ && !output_.empty();
    }
    // Cancellation, end of time and `other` count also when the link is gone.
    std::array<pollfd, 2> waits{};
    waits[0].fd = open_ ? connection_.fd.get() : -1;
    waits[0].events = static_cast<short>(output_.empty() ? POLLIN : POLLIN | POLLOUT);
    waits[1].fd = other;
    waits[1].events = POLLIN;
    if (!open_ && other < 0) {
        return false;
    }
    const BootTime until = open_ ? session_.deadline() : limits_.end;
    MTKEY_CHECK(wait_for(waits, limits_, until));
    const BootTime now = limits_.clock.boot_now();
    if (open_ && now >= session_.deadline()) {
        session_.on_time(now);
    }
    if ((waits[0].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) != 0) {
        read_input();
    }
    write_output();
    return waits[1].revents != 0;
}

void Link::write_output() {
    append(output_, session_.take_output());
    while (open_ && !output_.empty()) {
        // A socket's end must not become SIGPIPE in a program that uses us as a library; a tty
        // knows no send().
        ssize_t done = ::send(connection_.fd.get(), output_.data(), output_.size(), MSG_NOSIGNAL);
        if (done < 0 && errno == ENOTSOCK) {
            done = ::write(connection_.fd.get(), output_.data(), output_.size());
        }
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0 && errno == EAGAIN) {
            return;
        }
        if (done < 0) {
            link_ended();
            return;
        }
        output_.erase(output_.begin(), output_.begin() + done);
    }
}

void Link::read_input() {
    std::array<std::uint8_t, 4096> buffer{};
    const ssize_t got = ::read(connection_.fd.get(), buffer.data(), buffer.size());
    if (got > 0) {
        session_.receive(ByteView(buffer).first(static_cast<std::size_t>(got)),
                         limits_.clock.boot_now());
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        link_ended(); // EIO on a tty: the line has hung up
    }
}

void Link::link_ended() {
    open_ = false;
    output_.clear();
    session_.link_ended(limits_.clock.boot_now());
}

} // namespace mtkey::device
