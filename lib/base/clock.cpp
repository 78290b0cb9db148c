// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <array>
#include <cstdio>
#include <ctime>
#include <optional>

namespace mtkey {
namespace {

/// `count` digits at `pos`, or nothing.
std::optional<int> digits(std::string_view text, std::size_t pos, std::size_t count) {
    if (pos + count > text.size()) {
        return std::nullopt;
    }
    int value = 0;
    for (const char c : text.substr(pos, count)) {
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        value = value * 10 + (c - '0');
    }
    return value;
}

} // namespace

UtcTime SystemClock::utc_now() const {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

BootTime SystemClock::boot_now() const {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return BootTime(std::chrono::milliseconds(static_cast<std::int64_t>(now.tv_sec) * 1000 +
                                              now.tv_nsec / 1'000'000));
}

Result<UtcTime> parse_utc(std::string_view text) {
    const auto bad = [&] { return fail(Errc::Malformed, "not a UTC date and time"); };
    if (text.size() < 20 || text.size() > 40 || text[4] != '-' || text[7] != '-' ||
        text[10] != 'T' || text[13] != ':' || text[16] != ':' || text.back() != 'Z') {
        return bad();
    }
    const auto year = digits(text, 0, 4);
    const auto month = digits(text, 5, 2);
    const auto day = digits(text, 8, 2);
    const auto hour = digits(text, 11, 2);
    const auto minute = digits(text, 14, 2);
    const auto second = digits(text, 17, 2);
    if (!year || !month || !day || !hour || !minute || !second || *year < 1970 || *hour > 23 ||
        *minute > 59 || *second > 59) {
        return bad();
    }
    if (text.size() > 20) { // a fraction: a point and at least one digit
        if (text[19] != '.' || text.size() < 22 || !digits(text, 20, 1)) {
            return bad();
        }
        for (const char c : text.substr(20, text.size() - 21)) {
            if (c < '0' || c > '9') {
                return bad();
            }
        }
    }
    const std::chrono::year_month_day date{std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) {
        return bad();
    }
    return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
           std::chrono::seconds(*second);
}

std::string format_utc(UtcTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    std::array<char, 64> out{};
    std::snprintf(out.data(), out.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ",
                  static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                  static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    return out.data();
}

} // namespace mtkey
