// SPDX-License-Identifier: Apache-2.0
#include "daemon/card_errors.hpp"

#include "uicc/status.hpp"

namespace mtkey::daemon {

bool ends_card(const Error& error) {
    const bool answered = uicc::is_status_error(error) && error.detail >> 8 != 0x6C &&
                          error.detail != uicc::sw::kChannelNotSupported;
    return error.code == Errc::TimedOut || (error.code == Errc::CardFailed && !answered) ||
           (state_after(error.code) != CardState::State::Failed);
}

CardState::State state_after(Errc code) {
    using enum CardState::State;
    switch (code) {
    case Errc::NoReader:
        return NoReader;
    case Errc::NoCard:
        return NoCard;
    case Errc::ReaderBusy:
        return Busy;
    case Errc::PinRequired:
    case Errc::PinIncorrect:
    case Errc::PinFloor:
        return PinRequired;
    case Errc::PinBlocked:
        return PinBlocked;
    default:
        return Failed;
    }
}

bool wants_pin(const Error& error) {
    const auto state = state_after(error.code);
    return state == CardState::State::PinRequired || state == CardState::State::PinBlocked;
}

bool is_no_uicc(const Error& error) {
    return error.code == Errc::NotSupportedByCard ||
           (uicc::is_status_error(error) && error.detail == uicc::sw::kFileNotFound);
}

} // namespace mtkey::daemon
