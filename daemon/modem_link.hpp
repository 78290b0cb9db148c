// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/card_ports.hpp"
#include "uicc/modem_reader.hpp"

#include <memory>

namespace mtkey::daemon {

/// The card of a modem: in a session of its own where the modem has such, else by AT+CSIM, there on
/// a logical channel of its own where the card has one left. Errors: those of AtChannel::open.
[[nodiscard]] Result<std::unique_ptr<CardLink>>
connect_modem(const std::shared_ptr<uicc::ModemReader>& reader, const UiccConfig& config);

} // namespace mtkey::daemon
