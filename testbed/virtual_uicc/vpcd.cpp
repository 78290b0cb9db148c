// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/vpcd.hpp"

#include "base/file.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace mtkey::testbed {
namespace {

enum Control : std::uint8_t { kPowerOff = 0x00, kPowerOn = 0x01, kReset = 0x02, kGetAtr = 0x04 };

constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::milliseconds kPause{50};

std::unexpected<Error> failed(const std::string& what) {
    return fail(Errc::IoFailed, what + ": " + std::strerror(errno),
                static_cast<std::uint32_t>(errno));
}

void set_option(int fd, int option) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, option, &on,
                 sizeof on); // a slower card if it fails, no wrong one
}

Result<UniqueFd> try_connect(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
        return fail(Errc::InvalidArgument, host + " is no IP address");
    }
    UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int done = fd.valid() ? ::connect(fd.get(), found->ai_addr, found->ai_addrlen) : -1;
    ::freeaddrinfo(found);
    if (done != 0) {
        return failed("vpcd at " + host + ":" + std::to_string(port));
    }
    return fd;
}

/// False at the end of the connection or when it is time to end.
Result<bool> receive(int connection, int end_fd, std::span<std::uint8_t> out) {
    while (!out.empty()) {
        std::array<pollfd, 2> fds{pollfd{connection, POLLIN, 0}, pollfd{end_fd, POLLIN, 0}};
        if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) {
            return failed("poll");
        }
        if (fds[1].revents != 0) {
            return false;
        }
        if (fds[0].revents == 0) {
            continue;
        }
        // The driver sends length and body apart with Nagle on: a delayed acknowledgement costs 48
        // ms an APDU. The kernel forgets this option by itself, so it is set before each read.
        set_option(connection, TCP_QUICKACK);
        const ssize_t got = ::recv(connection, out.data(), out.size(), 0);
        if (got == 0) {
            return false;
        }
        if (got < 0 && errno != EINTR) {
            return failed("connection to vpcd");
        }
        out = out.subspan(got > 0 ? static_cast<std::size_t>(got) : 0);
    }
    return true;
}

/// Length and octets in one segment.
Result<void> send(int connection, ByteView octets) {
    SecretBytes message(octets.size() + 2);
    const auto out = message.reveal_writable();
    out[0] = static_cast<std::uint8_t>(octets.size() >> 8);
    out[1] = static_cast<std::uint8_t>(octets.size() & 0xFF);
    if (!octets.empty()) {
        std::memcpy(out.data() + 2, octets.data(), octets.size());
    }
    return write_all(connection, message.reveal());
}

Result<void> control(int connection, std::uint8_t code, Card& card) {
    switch (code) {
    case kPowerOff:
    case kPowerOn:
    case kReset:
        card.reset();
        return {};
    case kGetAtr:
        return send(connection, card.atr());
    default:
        return {}; // the driver expects no answer to what a card does not know
    }
}

} // namespace

Result<UniqueFd> connect_vpcd(const std::string& host, std::uint16_t port) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (true) {
        auto fd = try_connect(host, port);
        if (fd) {
            set_option(fd->get(), TCP_NODELAY);
            return fd;
        }
        if (fd.error().detail != ECONNREFUSED || std::chrono::steady_clock::now() >= end) {
            return fd;
        }
        std::this_thread::sleep_for(kPause);
    }
}

Result<void> serve_vpcd(int connection, int end_fd, Card& card) {
    while (true) {
        std::array<std::uint8_t, 2> length{};
        if (!MTKEY_TRY(receive(connection, end_fd, length))) {
            return {};
        }
        SecretBytes message(static_cast<std::size_t>(length[0]) << 8 | length[1]);
        if (!MTKEY_TRY(receive(connection, end_fd, message.reveal_writable()))) {
            return {};
        }
        if (message.size() == 1) {
            MTKEY_CHECK(control(connection, message.reveal()[0], card));
        } else {
            MTKEY_CHECK(send(connection, card.transmit(message.reveal()).reveal()));
        }
    }
}

} // namespace mtkey::testbed
