// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/station.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "testbed/virtual_uicc/card_file_tables.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace mtkey::testbed {
namespace {

constexpr std::size_t kLongestLine = 4096;

std::unexpected<Error> failed(const std::string& what) {
    return fail(Errc::IoFailed, what + ": " + std::strerror(errno),
                static_cast<std::uint32_t>(errno));
}

Result<UniqueFd> signal_descriptor() {
    std::signal(SIGPIPE, SIG_IGN);
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGUSR2}) {
        sigaddset(&signals, number);
    }
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    return fd.valid() ? Result<UniqueFd>(std::move(fd)) : failed("signalfd");
}

Result<UniqueFd> listen_at(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return fail(Errc::InvalidArgument, "control: " + path + " is too long for a socket");
    }
    path.copy(address.sun_path, path.size());
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::unlink(path.c_str()); // of a run before
    const mode_t mask = ::umask(0077);
    const bool bound = fd.valid() && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                                            sizeof address) == 0;
    ::umask(mask);
    if (!bound || ::listen(fd.get(), 4) != 0) {
        return failed("control: " + path);
    }
    return fd;
}

std::string refusal(const Error& error) {
    std::string text;
    for (const char c : printable(describe(error), kLongestLine)) {
        text += (c == '"' || c == '\\') ? std::string("\\") + c : std::string(1, c);
    }
    return R"({"ok":false,"error":")" + text + "\"}\n";
}

/// KEY=VALUE words as the [[fault]] table that they stand for.
Result<Fault> parse_fault(std::string_view words) {
    std::string text;
    while (!words.empty()) {
        const std::string_view word = words.substr(0, words.find(' '));
        words.remove_prefix(std::min(word.size() + 1, words.size()));
        const auto equals = word.find('=');
        const std::string_view value = word.substr(std::min(equals + 1, word.size()));
        const std::string key(word.substr(0, equals));
        const bool is_text = key == "kind" || key == "since" || key == "sw";
        const std::string quote = is_text ? "\"" : "";
        text += key + " = " + quote + std::string(value) + quote + "\n";
    }
    return read_fault(MTKEY_TRY(ConfigTable::parse(text, "fault")));
}

} // namespace

Result<Station> Station::create(Slot& slot, const std::string& control) {
    Station out(slot);
    out.signals_ = MTKEY_TRY(signal_descriptor());
    if (!control.empty()) {
        out.listener_ = MTKEY_TRY(listen_at(control));
    }
    return out;
}

Result<Event> Station::wait(int fd, std::chrono::milliseconds timeout) {
    const auto end = std::chrono::steady_clock::now() + timeout;
    while (true) {
        int left = -1;
        if (timeout.count() >= 0) {
            const auto rest = std::chrono::ceil<std::chrono::milliseconds>(
                end - std::chrono::steady_clock::now());
            left = static_cast<int>(std::max<std::int64_t>(rest.count(), 0));
        }
        std::array<pollfd, 4> fds{pollfd{signals_.get(), POLLIN, 0}, pollfd{fd, POLLIN, 0},
                                  pollfd{listener_.get(), POLLIN, 0},
                                  pollfd{connection_.get(), POLLIN, 0}};
        const int ready = ::poll(fds.data(), fds.size(), left);
        if (ready < 0 && errno != EINTR) {
            return failed("poll");
        }
        if (ready == 0) {
            return Event::Timeout;
        }
        if (fds[0].revents != 0) {
            return signalled();
        }
        if (fds[2].revents != 0) {
            connection_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            received_.clear();
        } else if (fds[3].revents != 0) {
            if (const auto event = controlled()) {
                return *event;
            }
        }
        if (fds[1].revents != 0) {
            return Event::Readable;
        }
    }
}

Result<Event> Station::signalled() {
    signalfd_siginfo info{};
    if (::read(signals_.get(), &info, sizeof info) != sizeof info) {
        return failed("signalfd");
    }
    if (info.ssi_signo != SIGUSR2) {
        return Event::End;
    }
    if (slot_->has_card()) {
        slot_->remove();
    } else {
        MTKEY_CHECK(slot_->insert());
    }
    return Event::CardChanged;
}

/// The last connection counts. Lines that came together are all obeyed before anything else is
/// done.
std::optional<Event> Station::controlled() {
    std::array<char, 512> octets{};
    const ssize_t got = ::read(connection_.get(), octets.data(), octets.size());
    if (got <= 0 || received_.size() > kLongestLine) {
        connection_.reset();
        return std::nullopt;
    }
    received_.append(octets.data(), static_cast<std::size_t>(got));
    std::optional<Event> event;
    for (auto end = received_.find('\n'); end != std::string::npos; end = received_.find('\n')) {
        const std::string answer = obey(std::string_view(received_).substr(0, end), event);
        received_.erase(0, end + 1);
        if (!write_all(connection_.get(), as_octets(answer))) {
            connection_.reset();
            break;
        }
    }
    return event;
}

std::string Station::obey(std::string_view line, std::optional<Event>& event) {
    const std::string_view word = line.substr(0, line.find(' '));
    const std::string_view rest = line.substr(std::min(word.size() + 1, line.size()));
    if (word == "remove") {
        slot_->remove();
        event = Event::CardChanged;
    } else if (word == "insert") {
        const auto done = slot_->insert(std::string(rest));
        if (!done) {
            return refusal(done.error());
        }
        event = Event::CardChanged;
    } else if (word == "fault") {
        const auto fault = parse_fault(rest);
        if (!fault) {
            return refusal(fault.error());
        }
        slot_->plan(*fault);
    } else if (word == "no-faults") {
        slot_->forget_faults();
    } else if (word == "hang-up") {
        event = Event::HangUp;
    } else if (word != "count") {
        return refusal(
            {Errc::InvalidArgument, 0, "write count, remove, insert, fault, no-faults or hang-up"});
    }
    return std::string(R"({"ok":true,"card":)") + (slot_->has_card() ? "true" : "false") +
           R"(,"commands":)" + std::to_string(slot_->commands()) + R"(,"since_power_up":)" +
           std::to_string(slot_->commands_since_power_up()) + "}\n";
}

} // namespace mtkey::testbed
