// SPDX-License-Identifier: Apache-2.0
#include "uicc/at_port.hpp"

#include "base/log.hpp"
#include "uicc/at_tty.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>

namespace mtkey::uicc {
namespace {
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Of what a modem says of its card, or of the beginning of a line.
constexpr std::size_t kLongestLine = 256;
constexpr std::size_t kMostNames = 16;
// A modem that says the same again and again means nothing by it, unless it was silent for long.
constexpr std::chrono::seconds kNewsAgain{10};
// Somebody in the middle of a line says the rest of it.
constexpr milliseconds kRestOfLine{50};
constexpr milliseconds kFirstDelay{200};
constexpr milliseconds kLongestDelay{5000};

AtCommand plain(std::string_view line_with_cr, std::string_view name, AtQuestion question,
                milliseconds limit) {
    return {name, SecretBytes(as_octets(line_with_cr)), question, limit};
}
} // namespace

struct AtPort::Taken {
    AtPort& port;
    Heard heard;
    Taken(AtPort& of, Heard how) : port(of), heard(how) {}
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;
    ~Taken() { port.done_with_text(heard); }
};

Result<AtPort> AtPort::open(AtPortOptions options) {
    AtPort port(std::move(options));
    MTKEY_CHECK(port.connect());
    return port;
}

Result<void> AtPort::connect() {
    tty_ = MTKEY_TRY(open_at_tty(options_.device, options_.baud));
    settled_ = true;
    greeting_ = true;
    if (auto greeted = greet(); !greeted) {
        tty_.reset();
        return greeted;
    }
    for (const auto& line : options_.init) {
        // Of the line only its name is ever shown.
        const auto name = std::string_view(line).substr(0, line.find_first_of("=?"));
        const auto done =
            ask({name, SecretBytes(as_octets(line + "\r")), {}, options_.answer_limit});
        if (!tty_.valid()) {
            return std::unexpected(done.error());
        }
        if (!done) {
            log_warning("modem", done.error());
        }
    }
    greeting_ = false;
    ++generation_;
    delay_ = milliseconds{0};
    return {};
}

/// A modem that restarts is away for seconds, a pulled one for ever.
Result<void> AtPort::connect_again() {
    if (options_.now() < next_try_) {
        return fail(Errc::NoReader, options_.device + ": waiting for the modem to come back");
    }
    auto connected = connect();
    if (!connected) {
        delay_ = std::clamp(delay_ * 2, kFirstDelay, kLongestDelay);
        next_try_ = options_.now() + delay_;
    }
    return connected;
}

/// No echo, result codes in words, errors with their number. A modem that refuses any of it is
/// understood all the same.
Result<void> AtPort::greet() {
    // The first one meets half a line of other programs; the last one is for modems that take one
    // setting a line.
    constexpr std::array kGreetings{"ATE0Q0V1\r", "ATE0Q0V1\r", "ATE0\r"};
    bool answered = false;
    for (const auto* greeting : kGreetings) {
        const auto hello = converse(plain(greeting, "AT", {}, options_.greeting_limit));
        if (!tty_.valid()) {
            return std::unexpected(hello.error());
        }
        answered = answered || hello || hello.error().code != Errc::TimedOut;
        if (hello) {
            break;
        }
    }
    if (!answered) {
        return fail(Errc::TimedOut, options_.device +
                                        ": no modem answers AT; check that it is the AT port and "
                                        "its speed");
    }
    settled_ = false; // more than one greeting may have been answered
    const auto errors = converse(plain("AT+CMEE=1\r", "AT+CMEE", {}, options_.greeting_limit));
    if (!errors && !tty_.valid()) {
        return std::unexpected(errors.error());
    }
    return settle();
}

/// Asks something whose answer cannot be that of an earlier command, and passes over what comes
/// before it.
Result<void> AtPort::settle() {
    const auto deadline = steady_clock::now() + options_.greeting_limit;
    const auto question =
        plain("AT+CMEE?\r", "AT+CMEE", {"+CMEE:", false, true}, options_.greeting_limit);
    MTKEY_CHECK(write(question, deadline));
    const Taken taken(*this, Heard::InAnswer);
    while (true) {
        if (auto more = read_more(deadline, question.name); !more) {
            // A modem without +CMEE has refused it by now; one that is silent still works on
            // something.
            if (more.error().code == Errc::TimedOut && filled_ > 0) {
                break;
            }
            return more;
        }
        const auto answer = parse_at_answer(text(), question.question);
        if (!answer || *answer) {
            break;
        }
    }
    settled_ = true;
    return {};
}

Result<void> AtPort::make_ready() {
    return tty_.valid() ? Result<void>() : connect_again();
}

Result<std::optional<SecretBytes>> AtPort::ask(const AtCommand& command) {
    MTKEY_CHECK(make_ready());
    if (!settled_) {
        MTKEY_CHECK(settle());
    }
    return converse(command);
}

Result<std::optional<SecretBytes>> AtPort::converse(const AtCommand& command) {
    const auto deadline = steady_clock::now() + command.limit;
    MTKEY_CHECK(take_pending());
    MTKEY_CHECK(write(command, deadline));
    return read_answer(command, deadline);
}

Result<std::optional<SecretBytes>> AtPort::read_answer(const AtCommand& command,
                                                       Deadline deadline) {
    const auto what = [&] { return options_.device + ": " + std::string(command.name); };
    const Taken taken(*this, Heard::InAnswer);
    while (true) {
        auto more = read_more(deadline, command.name);
        const auto answer = parse_at_answer(text(), command.question);
        if (more && !answer) {
            more = fail(Errc::CardFailed, what() + ": " + answer.error().context);
        }
        if (!more) {
            settled_ = false;
            return std::unexpected(more.error());
        }
        if (!*answer) {
            continue;
        }
        switch ((*answer)->result) {
        case AtAnswer::Result::CmeError:
            return cme_error((*answer)->cme, what());
        case AtAnswer::Result::Error:
            return fail(Errc::CardFailed, what() + ": the modem says ERROR");
        case AtAnswer::Result::Ok:
            break;
        }
        if (!(*answer)->payload) {
            return std::nullopt;
        }
        return SecretBytes(as_octets(*(*answer)->payload));
    }
}

Result<void> AtPort::read_more(Deadline deadline, std::string_view name) {
    if (filled_ == buffer_.size()) {
        return fail(Errc::CardFailed,
                    options_.device + ": " + std::string(name) + ": lines without end");
    }
    MTKEY_CHECK(wait(POLLIN, deadline, name));
    MTKEY_CHECK(read_some());
    return {};
}

Result<void> AtPort::wait(short events, Deadline deadline, std::string_view name) {
    while (true) {
        const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
        pollfd poll{tty_.get(), events, 0};
        const int ready = ::poll(&poll, 1, static_cast<int>(std::max<long long>(left, 0)));
        if (ready > 0) {
            // Octets in front of the hang-up are still worth reading.
            return (poll.revents & events) != 0 ? Result<void>() : hung_up();
        }
        if (ready < 0 && errno != EINTR) {
            return hung_up();
        }
        if (ready == 0) {
            return fail(Errc::TimedOut, options_.device + ": " + std::string(name));
        }
    }
}

Result<void> AtPort::write(const AtCommand& command, Deadline deadline) {
    auto rest = command.line.reveal();
    while (!rest.empty()) {
        MTKEY_CHECK(wait(POLLOUT, deadline, command.name));
        const auto done = ::write(tty_.get(), rest.data(), rest.size());
        if (done >= 0) {
            rest = rest.subspan(static_cast<std::size_t>(done));
        } else if (errno != EAGAIN && errno != EINTR) {
            return hung_up();
        }
    }
    return {};
}

Result<std::size_t> AtPort::read_some() {
    const auto room = buffer_.reveal_writable().subspan(filled_);
    const auto got = ::read(tty_.get(), room.data(), room.size());
    if (got > 0) {
        filled_ += static_cast<std::size_t>(got);
        return static_cast<std::size_t>(got);
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return std::size_t{0};
    }
    return hung_up();
}

/// What came since the last answer is unsolicited. Bounded: a modem that never stops is found by
/// the deadline of the next answer.
Result<void> AtPort::take_pending() {
    const auto deadline = steady_clock::now() + kRestOfLine;
    const Taken taken(*this, Heard::Unasked);
    while (filled_ < buffer_.size()) {
        const auto got = MTKEY_TRY(read_some());
        const bool whole = filled_ == 0 || text().back() == '\n' || text().back() == '\r';
        if (got == 0 && (whole || !wait(POLLIN, deadline, "unsolicited line"))) {
            break;
        }
    }
    return tty_.valid() ? Result<void>() : hung_up();
}

Result<void> AtPort::listen() {
    return tty_.valid() ? take_pending() : hung_up();
}

void AtPort::done_with_text(Heard heard) {
    for (const auto line : uicc::card_lines(text())) {
        note_card_line(line.substr(0, kLongestLine), heard);
    }
    // The beginning of a line waits for its rest, unless it may belong to an answer that is late.
    const auto end = text().find_last_of("\r\n");
    const auto begin = end == std::string_view::npos ? std::size_t{0} : end + 1;
    auto left = filled_ - begin;
    if (!settled_ || left > kLongestLine) {
        left = 0;
    }
    const auto all = buffer_.reveal_writable();
    std::ranges::copy(all.subspan(begin, left), all.begin());
    std::ranges::fill(all.subspan(left), std::uint8_t{0});
    filled_ = left;
}

void AtPort::note_card_line(std::string_view line, Heard heard) {
    const auto now = steady_clock::now();
    const auto name = line.substr(0, line.find(':'));
    auto known = told_.find(name);
    bool news = known == told_.end() || known->second.line != line;
    news = news || (heard == Heard::Unasked && now - known->second.when >= kNewsAgain);
    if (known == told_.end() && told_.size() < kMostNames) {
        known = told_.emplace(std::string(name), Told{}).first;
    }
    if (known != told_.end()) {
        known->second = {std::string(line), now};
    }
    card_lines_ += news && !greeting_ ? 1U : 0U;
}

std::unexpected<Error> AtPort::hung_up() {
    tty_.reset();
    settled_ = false; // no rest of anything comes
    next_try_ = {};
    delay_ = milliseconds{0};
    return fail(Errc::NoReader, options_.device + ": the modem has hung up");
}

} // namespace mtkey::uicc
