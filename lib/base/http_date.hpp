// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"

#include <string>

namespace mtkey {

/// "Thu, 08 Jan 2004 10:23:17 GMT" (RFC 9110 section 5.6.7); not strftime, whose names depend on
/// the locale.
std::string http_date(UtcTime time);

} // namespace mtkey
