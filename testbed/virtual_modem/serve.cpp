// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_modem/serve.hpp"

#include "testbed/virtual_modem/pty.hpp"

#include <array>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace mtkey::testbed {
namespace {

constexpr std::chrono::milliseconds kForever{-1};
constexpr int kPatience = 1000; // milliseconds
constexpr std::size_t kLongestLine = 1024;
enum class Next { GoOn, HangUp, End };

class Talk {
public:
    Talk(Station& station, Modem& modem, const Pty& pty)
        : station_(station), modem_(modem), fd_(pty.master()) {}

    Result<Next> run() {
        while (true) {
            const auto event = MTKEY_TRY(station_.wait(fd_, kForever));
            auto next = MTKEY_TRY(after(event));
            if (event == Event::Readable) {
                next = MTKEY_TRY(hear());
            }
            if (next != Next::GoOn) {
                return next;
            }
        }
    }

private:
    Result<Next> after(Event event) {
        if (event == Event::CardChanged) {
            say(modem_.card_line());
        }
        return event == Event::End ? Next::End : event == Event::HangUp ? Next::HangUp : Next::GoOn;
    }

    Result<Next> hear() {
        std::array<char, 512> octets{};
        const ssize_t got = ::read(fd_, octets.data(), octets.size());
        for (ssize_t i = 0; i < got; ++i) {
            const char c = octets[static_cast<std::size_t>(i)];
            if (modem_.echo()) {
                say({&c, 1});
            }
            if (c != '\r') {
                // A line feed behind the carriage return belongs to nobody; noise has no end.
                if (c != '\n' && line_.size() < kLongestLine) {
                    line_ += c;
                }
                continue;
            }
            const auto next = MTKEY_TRY(answer(modem_.line(std::exchange(line_, {}))));
            if (next != Next::GoOn) {
                return next;
            }
        }
        return Next::GoOn;
    }

    Result<Next> answer(const ModemAnswer& answer) {
        const auto end = std::chrono::steady_clock::now() + answer.delay;
        while (std::chrono::steady_clock::now() < end) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(
                end - std::chrono::steady_clock::now());
            const auto next = MTKEY_TRY(after(MTKEY_TRY(station_.wait(-1, left))));
            if (next != Next::GoOn) {
                return next;
            }
        }
        if (answer.hang_up) {
            return Next::HangUp;
        }
        say(answer.text);
        return Next::GoOn;
    }

    /// What a user who does not read leaves no room for is lost, as on a cable.
    void say(std::string_view text) {
        while (!text.empty()) {
            const ssize_t done = ::write(fd_, text.data(), text.size());
            if (done > 0) {
                text.remove_prefix(static_cast<std::size_t>(done));
                continue;
            }
            pollfd room{fd_, POLLOUT, 0};
            if (::poll(&room, 1, kPatience) == 0) {
                return;
            }
        }
    }

    Station& station_;
    Modem& modem_;
    int fd_;
    std::string line_;
};

} // namespace

Result<void> serve_modem(Station& station, Modem& modem, const ModemProfile& profile,
                         const std::string& link,
                         const std::function<Result<void>(const std::string&)>& ready) {
    while (true) {
        {
            const Pty pty = MTKEY_TRY(Pty::open(link));
            MTKEY_CHECK(ready(pty.path()));
            if (MTKEY_TRY(Talk(station, modem, pty).run()) == Next::End) {
                return {};
            }
        }
        if (MTKEY_TRY(station.wait(-1, profile.return_after)) == Event::End) {
            return {};
        }
    }
}

} // namespace mtkey::testbed
