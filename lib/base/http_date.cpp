// SPDX-License-Identifier: Apache-2.0
#include "base/http_date.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <optional>

namespace mtkey {
namespace {

constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> kLongDays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// Takes a date apart from its front. What is not there makes all of it no date.
class Fields {
public:
    explicit Fields(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool whole() const { return good_ && rest_.empty(); }
    void literal(std::string_view expected) {
        good_ = good_ && rest_.starts_with(expected);
        rest_.remove_prefix(good_ ? expected.size() : 0);
    }
    int number(std::size_t digits) {
        good_ = good_ && rest_.size() >= digits &&
                std::ranges::all_of(rest_.substr(0, digits), is_digit);
        int value = 0;
        for (std::size_t i = 0; good_ && i < digits; ++i) {
            value = value * 10 + (rest_[i] - '0');
        }
        rest_.remove_prefix(good_ ? digits : 0);
        return value;
    }
    /// asctime() writes a day of one digit with a space before it.
    int padded_day() {
        if (rest_.starts_with(' ')) {
            literal(" ");
            return number(1);
        }
        return number(2);
    }
    template <std::size_t N>
    unsigned name(const std::array<std::string_view, N>& names) {
        const auto found = std::ranges::find_if(
            names, [&](std::string_view one) { return rest_.starts_with(one); });
        good_ = good_ && found != names.end();
        rest_.remove_prefix(good_ ? found->size() : 0);
        return static_cast<unsigned>(found - names.begin());
    }
    void time() {
        hour = number(2);
        literal(":");
        minute = number(2);
        literal(":");
        second = number(2);
    }
    int year = 0;
    unsigned month = 0; ///< from 0
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;

private:
    std::string_view rest_;
    bool good_ = true;
};

/// "Sun, 06 Nov 1994 08:49:37 GMT"
Fields imf_fixdate(std::string_view text) {
    Fields out(text);
    out.name(kDays);
    out.literal(", ");
    out.day = out.number(2);
    out.literal(" ");
    out.month = out.name(kMonths);
    out.literal(" ");
    out.year = out.number(4);
    out.literal(" ");
    out.time();
    out.literal(" GMT");
    return out;
}

/// "Sunday, 06-Nov-94 08:49:37 GMT". Which century is not said: no date here is older than HTTP.
Fields rfc850_date(std::string_view text) {
    Fields out(text);
    out.name(kLongDays);
    out.literal(", ");
    out.day = out.number(2);
    out.literal("-");
    out.month = out.name(kMonths);
    out.literal("-");
    out.year = out.number(2);
    out.year += out.year < 90 ? 2000 : 1900;
    out.literal(" ");
    out.time();
    out.literal(" GMT");
    return out;
}

/// "Sun Nov  6 08:49:37 1994"
Fields asctime_date(std::string_view text) {
    Fields out(text);
    out.name(kDays);
    out.literal(" ");
    out.month = out.name(kMonths);
    out.literal(" ");
    out.day = out.padded_day();
    out.literal(" ");
    out.time();
    out.literal(" ");
    out.year = out.number(4);
    return out;
}

std::optional<UtcTime> time_of(const Fields& fields) {
    using namespace std::chrono;
    const year_month_day date(year(fields.year), month(fields.month + 1),
                              day(static_cast<unsigned>(fields.day)));
    // A leap second is the first of the next minute.
    if (!date.ok() || fields.year < 1970 || fields.hour > 23 || fields.minute > 59 ||
        fields.second > 60) {
        return std::nullopt;
    }
    return sys_days(date) + hours(fields.hour) + minutes(fields.minute) + seconds(fields.second);
}

} // namespace

std::string http_date(UtcTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    const auto weekday = std::chrono::weekday(day).c_encoding();
    const auto month = static_cast<unsigned>(date.month());
    std::array<char, 64> text{};
    std::snprintf(
        text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT", kDays.at(weekday).data(),
        static_cast<unsigned>(date.day()), kMonths.at(month - 1).data(),
        static_cast<int>(date.year()), static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
    return text.data();
}

Result<UtcTime> parse_http_date(std::string_view text) {
    for (const auto& fields : {imf_fixdate(text), rfc850_date(text), asctime_date(text)}) {
        if (fields.whole()) {
            if (const auto time = time_of(fields)) {
                return *time;
            }
        }
    }
    return fail(Errc::Malformed, "no date of HTTP");
}

Result<std::chrono::seconds> parse_retry_after(std::string_view value, UtcTime now) {
    if (value.empty() || !std::ranges::all_of(value, is_digit)) {
        const auto wait = MTKEY_TRY(parse_http_date(value)) - now;
        return std::clamp(wait, std::chrono::seconds(0), kLongestRetryAfter);
    }
    std::chrono::seconds wait{0};
    for (const char c : value) {
        wait = std::min(wait * 10 + std::chrono::seconds(c - '0'), kLongestRetryAfter);
    }
    return wait;
}

} // namespace mtkey
