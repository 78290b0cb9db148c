// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/unique_fd.hpp"
#include "uicc/at_lines.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::uicc {

struct AtPortOptions {
    std::string device; ///< /dev/ttyUSB2; /dev/serial/by-id/... stays the same over reboots
    unsigned baud = 115200;
    std::chrono::milliseconds greeting_limit{1000}; ///< for commands that ask no card, per try
    std::chrono::milliseconds answer_limit{10000};  ///< for commands that reach the card
    /// Said each time that the modem is there again, e.g. "AT+QSIMSTAT=1"; one that it refuses is
    /// logged.
    std::vector<std::string> init{};
    /// Only for the waiting time between two attempts to open the tty again; tests pass their own.
    std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
};

/// One AT command on its way. The line may carry a PIN.
struct AtCommand {
    std::string_view name; ///< for messages: "AT+CSIM"
    SecretBytes line;      ///< with its CR
    AtQuestion question;
    std::chrono::milliseconds limit;
};

/// Owns the modem's tty and its lock. Blocks as long as its limits say: for worker threads only.
/// Survives the modem's going away: the next command opens the tty again.
class AtPort {
public:
    /// Opens the tty and waits until a modem answers. Errors: those of open_at_tty, TimedOut.
    [[nodiscard]] static Result<AtPort> open(AtPortOptions options);

    /// The payload of the answer, in the secure heap; nothing when only OK came. Never sends a
    /// command twice. Errors: NoReader (gone, or not back yet), TimedOut, CardFailed (ERROR, or
    /// lines that make no sense), and those of cme_error; the context names device and command.
    [[nodiscard]] Result<std::optional<SecretBytes>> ask(const AtCommand& command);

    /// Opens the tty again when the modem was away. What ask() does first, for those who must look
    /// at generation() before they send anything.
    [[nodiscard]] Result<void> make_ready();
    /// The next command may open the tty at once: there is reason to believe that it is back.
    void retry_now() { next_try_ = {}; }
    /// Counts the times that the tty was opened: sessions and selections are of one time only.
    [[nodiscard]] unsigned generation() const { return generation_; }
    [[nodiscard]] bool connected() const { return tty_.valid(); }
    /// Between two questions: to wait for what the modem says unasked, with listen() to take it. -1
    /// while the modem is away.
    [[nodiscard]] int descriptor() const { return tty_.get(); }
    /// Errors: NoReader (the modem has hung up).
    [[nodiscard]] Result<void> listen();
    /// How often a line has told something new of the card: that it comes, goes or starts anew. The
    /// same line again within ten seconds, or with every answer, is nothing new; what is said in
    /// answer to AtPortOptions::init is not counted.
    [[nodiscard]] unsigned card_lines() const { return card_lines_; }
    [[nodiscard]] const AtPortOptions& options() const { return options_; }

private:
    using Deadline = std::chrono::steady_clock::time_point;

    // The longest APDU answer is 516 digits; the rest is for lines that nobody asked for.
    static constexpr std::size_t kBuffer = 8192;

    explicit AtPort(AtPortOptions options) : options_(std::move(options)) {}
    Result<void> connect();
    Result<void> connect_again();
    Result<void> greet();
    Result<void> settle();
    Result<std::optional<SecretBytes>> converse(const AtCommand& command);
    Result<std::optional<SecretBytes>> read_answer(const AtCommand& command, Deadline deadline);
    Result<void> read_more(Deadline deadline, std::string_view name);
    Result<void> wait(short events, Deadline deadline, std::string_view name);
    Result<void> write(const AtCommand& command, Deadline deadline);
    /// Into the buffer. 0 = nothing there now.
    Result<std::size_t> read_some();
    Result<void> take_pending();
    enum class Heard : bool { InAnswer, Unasked };
    struct Taken; ///< at its end what has come is done with
    void done_with_text(Heard heard);
    void note_card_line(std::string_view line, Heard heard);
    [[nodiscard]] std::string_view text() const { return as_text(buffer_.reveal().first(filled_)); }
    std::unexpected<Error> hung_up();

    AtPortOptions options_;
    UniqueFd tty_;
    unsigned generation_ = 0;
    bool settled_ = true; ///< false: the answer to an earlier command may still come
    bool greeting_ = false;
    SecretBytes buffer_{kBuffer};
    std::size_t filled_ = 0; ///< between two questions: the beginning of a line, or nothing
    unsigned card_lines_ = 0;
    struct Told {
        std::string line;
        Deadline when;
    };
    std::map<std::string, Told, std::less<>> told_; ///< the last line about the card, by name
    std::chrono::milliseconds delay_{0};
    Deadline next_try_{};
};

} // namespace mtkey::uicc
