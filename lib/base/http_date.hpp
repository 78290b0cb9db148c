// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace mtkey {

/// "Thu, 08 Jan 2004 10:23:17 GMT" (RFC 9110 section 5.6.7); not strftime, whose names depend on
/// the locale.
std::string http_date(UtcTime time);

/// Each of the three forms that a recipient must read, years 1970 to 9999; the name of the day says
/// nothing that the date does not. Malformed otherwise.
Result<UtcTime> parse_http_date(std::string_view text);

inline constexpr std::chrono::seconds kLongestRetryAfter = std::chrono::hours(1);
/// Retry-After (RFC 9110 section 10.2.3), seconds or a date as seen from `now`: 0 (the date has
/// passed) to kLongestRetryAfter, which stands for all that is longer. Malformed otherwise.
Result<std::chrono::seconds> parse_retry_after(std::string_view value, UtcTime now);

} // namespace mtkey
