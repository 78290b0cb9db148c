// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/secret.hpp"

#include <algorithm>
#include <cstdint>

namespace mtkey::testbed {

/// What a command gives, above T=0 or T=1.
struct Answer {
    SecretBytes data;
    std::uint16_t sw = 0x9000;
};

/// Status words (TS 102 221 clause 10.2.1, TS 31.102 clause 7.3).
namespace sw {
inline constexpr std::uint16_t kOk = 0x9000;
inline constexpr std::uint16_t kDeactivated = 0x6283; ///< selected file; the answer has its data
inline constexpr std::uint16_t kTriesLeft = 0x63C0;   ///< low digit: how many
inline constexpr std::uint16_t kWrongLength = 0x6700;
inline constexpr std::uint16_t kNoLogicalChannel = 0x6881;
inline constexpr std::uint16_t kNoSecureMessaging = 0x6882;
inline constexpr std::uint16_t kWrongFileStructure = 0x6981;
inline constexpr std::uint16_t kSecurityStatus = 0x6982;
inline constexpr std::uint16_t kPinBlocked = 0x6983;
inline constexpr std::uint16_t kPinDisabled = 0x6984;
inline constexpr std::uint16_t kConditionsOfUse = 0x6985;
inline constexpr std::uint16_t kNoFileSelected = 0x6986;
inline constexpr std::uint16_t kWrongData = 0x6A80;
inline constexpr std::uint16_t kNotSupported = 0x6A81; ///< also: no free logical channel
inline constexpr std::uint16_t kFileNotFound = 0x6A82;
inline constexpr std::uint16_t kRecordNotFound = 0x6A83;
inline constexpr std::uint16_t kWrongParameters = 0x6A86;
inline constexpr std::uint16_t kReferenceNotFound = 0x6A88;
inline constexpr std::uint16_t kWrongOffset = 0x6B00;
inline constexpr std::uint16_t kWrongInstruction = 0x6D00;
inline constexpr std::uint16_t kWrongClass = 0x6E00;
inline constexpr std::uint16_t kCardError = 0x6F00;
inline constexpr std::uint16_t kBusy = 0x9300;
inline constexpr std::uint16_t kMacIncorrect = 0x9862;
inline constexpr std::uint16_t kContextNotSupported = 0x9864;
inline constexpr std::uint16_t kNoMemorySpace = 0x9866;
} // namespace sw

/// As it goes over the contacts.
inline SecretBytes encode(ByteView data, std::uint16_t sw) {
    SecretBytes out(data.size() + 2);
    const auto octets = out.reveal_writable();
    std::ranges::copy(data, octets.begin());
    octets[data.size()] = static_cast<std::uint8_t>(sw >> 8);
    octets[data.size() + 1] = static_cast<std::uint8_t>(sw & 0xFF);
    return out;
}

inline Answer refuse(std::uint16_t sw) {
    return {SecretBytes(), sw};
}
inline Answer done() {
    return {};
}

} // namespace mtkey::testbed
