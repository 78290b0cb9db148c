// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include "base/clock.hpp"
#include "base/file.hpp"

#include <array>
#include <atomic>
#include <cstdlib>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace mtkey {
namespace {

std::atomic<LogLevel> threshold = LogLevel::Info;

/// sd-daemon(3): JOURNAL_STREAM names device and inode of the stream that the journal reads.
bool stderr_is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status{};
    if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) {
        return false;
    }
    return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

std::string_view level_name(LogLevel level) {
    switch (level) {
    case LogLevel::Error:
        return "error";
    case LogLevel::Warning:
        return "warning";
    case LogLevel::Notice:
        return "notice";
    case LogLevel::Info:
        return "info";
    case LogLevel::Debug:
        return "debug";
    }
    return "?";
}

constexpr std::array kLevels{LogLevel::Error, LogLevel::Warning, LogLevel::Notice, LogLevel::Info,
                             LogLevel::Debug};

} // namespace

void set_log_level(LogLevel level) {
    threshold = level;
}

Result<LogLevel> parse_log_level(std::string_view text) {
    for (const auto level : kLevels) {
        if (level_name(level) == text) {
            return level;
        }
    }
    return fail(Errc::InvalidArgument, "log level must be error, warning, notice, info or debug");
}

std::string masked_identity(std::string_view identity) {
    const auto at = identity.find('@');
    std::string out(identity.substr(0, at));
    const std::size_t shown = out.size() > 6 ? 2 : 0;
    for (std::size_t i = 0; i + shown < out.size(); ++i) {
        out[i] = '*';
    }
    if (at != std::string_view::npos) {
        out += identity.substr(at);
    }
    return printable(out);
}

std::string masked_b_tid(std::string_view b_tid) {
    const auto at = b_tid.find('@');
    std::string out(b_tid.substr(0, std::min<std::size_t>(6, at)));
    out += "...";
    if (at != std::string_view::npos) {
        out += b_tid.substr(at);
    }
    return printable(out);
}

std::string printable(std::string_view text, std::size_t limit) {
    std::string out;
    out.reserve(std::min(text.size(), limit));
    for (const char c : text.substr(0, limit)) {
        out.push_back(c >= ' ' && c <= '~' ? c : '?');
    }
    if (text.size() > limit) {
        out += "...";
    }
    return out;
}

void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
    if (level > threshold.load(std::memory_order_relaxed)) {
        return;
    }
    static const bool journal = stderr_is_journal();
    std::string line;
    if (journal) {
        line = "<" + std::to_string(static_cast<int>(level)) + ">";
    } else {
        line = format_utc(SystemClock().utc_now()) + " " + std::string(level_name(level)) + " ";
    }
    line += printable(message, 400);
    for (const auto& field : fields) {
        line += " ";
        line += field.name();
        line += "=";
        const bool quote = field.text().empty() || field.text().find(' ') != std::string_view::npos;
        line += quote ? "\"" : "";
        line += printable(field.text());
        line += quote ? "\"" : "";
    }
    line += "\n";
    // A log that cannot be written must not end the program.
    static_cast<void>(write_all(STDERR_FILENO, as_octets(line)));
}

void log_error(std::string_view message, const Error& error) {
    log(LogLevel::Error, std::string(message) + ": " + describe(error));
}

void log_warning(std::string_view message, const Error& error) {
    log(LogLevel::Warning, std::string(message) + ": " + describe(error));
}

} // namespace mtkey
