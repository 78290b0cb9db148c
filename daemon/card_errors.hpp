// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "daemon/card_service.hpp"

namespace mtkey::daemon {

/// What an error of the card makes of it.
[[nodiscard]] CardState::State state_after(Errc code);
/// Nothing that was read of the card or made with it may be used on: it is lost, or the way to it;
/// it may have executed a command whose answer nobody saw; or its PIN is not verified any more. A
/// status word that makes no sense is none of these: the card is there and has answered. But 6Cxx
/// has been followed already: a card that stays with it has lost the thread, until it is reset.
[[nodiscard]] bool ends_card(const Error& error);
[[nodiscard]] bool wants_pin(const Error& error);
/// As far as one look can tell: what 6E 00 says may be true of a UICC in a GSM session.
[[nodiscard]] bool is_no_uicc(const Error& error);

} // namespace mtkey::daemon
