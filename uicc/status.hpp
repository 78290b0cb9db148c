// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>

namespace mtkey::uicc {

/// Status words with a meaning of their own here (TS 102 221 clause 10.2, TS 31.102 clause 7.3).
namespace sw {
inline constexpr std::uint16_t kEndOfFile = 0x6282;
inline constexpr std::uint16_t kDeactivated = 0x6283;
inline constexpr std::uint16_t kSecurityNotSatisfied = 0x6982;
inline constexpr std::uint16_t kBlocked = 0x6983;
inline constexpr std::uint16_t kPinDisabled = 0x6984; // referenced data invalidated
inline constexpr std::uint16_t kConditionsNotSatisfied = 0x6985;
inline constexpr std::uint16_t kFunctionNotSupported = 0x6A81;
inline constexpr std::uint16_t kFileNotFound = 0x6A82;
inline constexpr std::uint16_t kRecordNotFound = 0x6A83;
inline constexpr std::uint16_t kWrongParameters = 0x6A86;
inline constexpr std::uint16_t kReferenceNotFound = 0x6A88;
inline constexpr std::uint16_t kWrongOffset = 0x6B00;
inline constexpr std::uint16_t kInstructionNotSupported = 0x6D00;
inline constexpr std::uint16_t kClassNotSupported = 0x6E00;
inline constexpr std::uint16_t kMacFailure = 0x9862;
inline constexpr std::uint16_t kContextNotSupported = 0x9864;
inline constexpr std::uint16_t kKeyFreshness = 0x9865;
inline constexpr std::uint16_t kChannelNotSupported = 0x6881;
} // namespace sw

/// The Error of a status word that has no better meaning in its place: PinRequired or CardFailed.
[[nodiscard]] std::unexpected<Error> status_error(std::uint16_t sw, std::string what);

/// True for such an Error: the card has answered, and is in the state it was in. Errors of the way
/// to it carry no number of this range.
[[nodiscard]] inline bool is_status_error(const Error& error) {
    return (error.code == Errc::CardFailed || error.code == Errc::PinRequired) &&
           error.detail >= 0x6000 && error.detail <= 0x9FFF;
}

/// What a SIM says to every command of a UICC, and a UICC in a GSM session too.
[[nodiscard]] inline bool refuses_class(const Error& error) {
    return is_status_error(error) && error.detail == sw::kClassNotSupported;
}

} // namespace mtkey::uicc
