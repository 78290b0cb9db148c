// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "testbed/virtual_uicc/card.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace mtkey::testbed {

/// Connects to the driver of vsmartcard's virtual reader; tries again for ten seconds while it does
/// not listen yet.
Result<UniqueFd> connect_vpcd(const std::string& host, std::uint16_t port);

/// Serves `card` on a connection: 16-bit big-endian length, then one control octet (power off,
/// power on, reset, ATR) or a command APDU. Returns when the driver closes or `end_fd` becomes
/// readable.
Result<void> serve_vpcd(int connection, int end_fd, Card& card);

} // namespace mtkey::testbed
