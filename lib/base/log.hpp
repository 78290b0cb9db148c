// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace mtkey {

class SecretBytes;
template <std::size_t N>
class Secret;

enum class LogLevel {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7
}; // values of syslog(3)

/// One named value of a log line. Secrets have no way in; identities come masked.
class LogField {
public:
    LogField(std::string_view name, std::string_view text) : name_(name), text_(text) {}
    LogField(std::string_view name, const char* text) : LogField(name, std::string_view(text)) {}
    LogField(std::string_view name, std::int64_t number)
        : name_(name), text_(std::to_string(number)) {}
    LogField(std::string_view name, const SecretBytes&) = delete;
    template <std::size_t N>
    LogField(std::string_view name, const Secret<N>&) = delete;

    [[nodiscard]] std::string_view name() const { return name_; }
    [[nodiscard]] std::string_view text() const { return text_; }

private:
    std::string_view name_;
    std::string text_;
};

/// IMSI, IMPI, ICCID for people: everything but the last two digits of the digits is starred, the
/// domain stays.
std::string masked_identity(std::string_view identity);
/// B-TID for people: first six characters of the random part, then the domain.
std::string masked_b_tid(std::string_view b_tid);
/// Replaces control characters and everything that is not printable ASCII; cuts after `limit`
/// octets.
std::string printable(std::string_view text, std::size_t limit = 200);

/// Lines above this level are dropped. Default Info.
void set_log_level(LogLevel level);
Result<LogLevel> parse_log_level(std::string_view text);

/// To the journal (priority prefix of sd-daemon(3)) when it reads our stderr, else to stderr with
/// time. Safe from every thread; one write(2) a line.
void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
void log_error(std::string_view message, const Error& error);
void log_warning(std::string_view message, const Error& error);

} // namespace mtkey
