// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

namespace mtkey::fakes {

inline sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

inline bool raw_send(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

/// Octets until `until` stands at the end of them, the peer ends, or `milliseconds` without one.
inline std::string raw_receive(int fd, std::string_view until = "", int milliseconds = 5000) {
    std::string text;
    char octet = 0;
    pollfd one{fd, POLLIN, 0};
    while ((until.empty() || !text.ends_with(until)) && ::poll(&one, 1, milliseconds) == 1 &&
           ::recv(fd, &octet, 1, 0) == 1) {
        text.push_back(octet);
    }
    return text;
}

/// Whether the peer ends the connection before it is silent for `milliseconds`; octets are dropped.
inline bool raw_ended(int fd, int milliseconds = 5000) {
    char octet = 0;
    pollfd one{fd, POLLIN, 0};
    while (::poll(&one, 1, milliseconds) == 1) {
        if (::recv(fd, &octet, 1, 0) <= 0) {
            return true;
        }
    }
    return false;
}

/// Closing sends a reset instead of the regular end.
inline void raw_reset(UniqueFd& fd) {
    const linger now{1, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd.reset();
}

inline UniqueFd raw_connect(std::uint16_t port) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = loopback(port);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        fd.reset();
    }
    return fd;
}

/// A TCP server on loopback that treats each connection, one after the other, as `script` says.
/// Owns its thread.
class RawServer {
public:
    /// `number` counts the connections from 0.
    using Script = std::function<void(UniqueFd& connection, int number)>;

    explicit RawServer(Script script) : script_(std::move(script)) {
        listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        auto address = loopback(0);
        socklen_t size = sizeof address;
        ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
        ::listen(listener_.get(), 64);
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    ~RawServer() {
        stopping_ = true;
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
    }
    RawServer(const RawServer&) = delete;
    RawServer& operator=(const RawServer&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] int connections() const { return connections_; }

private:
    void run() {
        while (!stopping_) {
            UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (connection.valid()) {
                script_(connection, connections_++);
            }
        }
    }

    Script script_;
    UniqueFd listener_;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopping_ = false;
    std::atomic<int> connections_ = 0;
    std::thread thread_;
};

} // namespace mtkey::fakes
