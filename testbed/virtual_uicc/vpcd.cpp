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
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace mtkey::testbed {
namespace {

enum Control : std::uint8_t { kPowerOff = 0x00, kPowerOn = 0x01, kReset = 0x02, kGetAtr = 0x04 };

constexpr std::chrono::seconds kPatience{10}; // for the first connection
constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kLongestPause{500};
constexpr std::chrono::milliseconds kTimeOut{600}; // pcscd looks at its readers every 400 ms
constexpr std::chrono::milliseconds kForever{-1};

std::unexpected<Error> failed(const std::string& what) {
    return fail(Errc::IoFailed, what + ": " + std::strerror(errno),
                static_cast<std::uint32_t>(errno));
}

void set_option(int fd, int option) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, option, &on,
                 sizeof on); // a slower card if it fails, no wrong one
}

/// End: nothing more to read or the connection is lost. Readable: `out` is full.
Result<Event> receive(int connection, Station& station, std::span<std::uint8_t> out) {
    while (!out.empty()) {
        const auto event = MTKEY_TRY(station.wait(connection, kForever));
        if (event != Event::Readable) {
            return event;
        }
        // The driver sends length and body apart with Nagle on: a delayed acknowledgement costs 48
        // ms an APDU. The kernel forgets this option by itself, so it is set before each read.
        set_option(connection, TCP_QUICKACK);
        const ssize_t got = ::recv(connection, out.data(), out.size(), 0);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return Event::HangUp;
        }
        out = out.subspan(got > 0 ? static_cast<std::size_t>(got) : 0);
    }
    return Event::Readable;
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

Result<void> control(int connection, std::uint8_t code, Slot& slot) {
    switch (code) {
    case kPowerOff:
    case kPowerOn:
    case kReset:
        slot.power_up();
        return {};
    case kGetAtr:
        return send(connection, slot.card()->atr());
    default:
        return {}; // the driver expects no answer to what a card does not know
    }
}

/// The answer of the slot when its time has come. Without one the driver waits on.
Result<Event> answer(int connection, Station& station, SlotAnswer answer) {
    if (!answer.octets) {
        return Event::Timeout;
    }
    if (answer.delay.count() > 0) {
        const auto event = MTKEY_TRY(station.wait(-1, answer.delay));
        if (event != Event::Timeout) {
            return event;
        }
    }
    return send(connection, answer.octets->reveal()) ? Event::Timeout : Event::HangUp;
}

/// Until something else than a command comes.
Result<Event> serve(int connection, Station& station, Slot& slot) {
    while (slot.has_card()) {
        std::array<std::uint8_t, 2> length{};
        auto event = MTKEY_TRY(receive(connection, station, length));
        if (event != Event::Readable) {
            return event;
        }
        SecretBytes message(static_cast<std::size_t>(length[0]) << 8 | length[1]);
        event = MTKEY_TRY(receive(connection, station, message.reveal_writable()));
        if (event != Event::Readable) {
            return event;
        }
        if (message.size() == 1) {
            if (!control(connection, message.reveal()[0], slot)) {
                return Event::HangUp;
            }
            continue;
        }
        event = MTKEY_TRY(answer(connection, station, slot.transmit(message.reveal())));
        if (event != Event::Timeout) {
            return event;
        }
    }
    return Event::CardChanged; // by its own script
}

/// Nothing yet, or no longer.
Result<std::optional<UniqueFd>> try_connect(const std::string& host, std::uint16_t port) {
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
    if (done == 0) {
        set_option(fd.get(), TCP_NODELAY);
        return std::optional(std::move(fd));
    }
    if (errno == ECONNREFUSED || errno == ECONNRESET) {
        return std::nullopt;
    }
    return failed("vpcd at " + host + ":" + std::to_string(port));
}

} // namespace

Result<void> VpcdClient::run(Station& station, Slot& slot,
                             const std::function<Result<void>()>& ready) {
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    bool known = false;
    auto pause = kFirstPause;
    while (true) {
        if (!slot.has_card()) {
            if (MTKEY_TRY(station.wait(-1, kForever)) == Event::End) {
                return {};
            }
            continue;
        }
        auto connection = MTKEY_TRY(try_connect(host_, port_));
        if (connection) {
            if (!std::exchange(known, true)) {
                MTKEY_CHECK(ready());
            }
            const auto since = std::chrono::steady_clock::now();
            const auto event = MTKEY_TRY(serve(connection->get(), station, slot));
            if (event == Event::End) {
                return {};
            }
            if (event == Event::CardChanged) {
                pause = kTimeOut;
            } else if (std::chrono::steady_clock::now() - since > kLongestPause) {
                pause =
                    kFirstPause; // else a reader that does not want this card is asked ever less
            }
            connection.reset();
        } else if (!known && std::chrono::steady_clock::now() >= give_up) {
            return fail(Errc::IoFailed, "no vpcd at " + host_ + ":" + std::to_string(port_));
        }
        // Also with the card back in at once: the reader must have seen the slot empty.
        const auto end = std::chrono::steady_clock::now() + pause;
        while (std::chrono::steady_clock::now() < end) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(
                end - std::chrono::steady_clock::now());
            if (MTKEY_TRY(station.wait(-1, left)) == Event::End) {
                return {};
            }
        }
        pause = std::min(2 * pause, kLongestPause);
    }
}

} // namespace mtkey::testbed
