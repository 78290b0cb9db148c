// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mtkey::uicc {

/// One interface character: TA1, TB1, ... (ISO/IEC 7816-3 clause 8.2).
struct InterfaceOctet {
    char letter;    ///< 'A' to 'D'
    unsigned index; ///< from 1 on
    std::uint8_t value;
    /// T that it is about: that of the TD before; 15 = global; nothing for those of index 1 and 2
    /// that are global by their place.
    std::optional<std::uint8_t> protocol;
    [[nodiscard]] std::string name() const; ///< "TA1"
};

/// What the card says of itself in its historical octets (ISO/IEC 7816-4 clause 12.1.1.9).
struct CardCapabilities {
    bool select_by_full_name = false;
    bool select_by_partial_name = false;
    bool select_by_path = false;
    bool select_by_identifier = false;
    bool short_identifiers = false;
    bool records = false; ///< record numbers
    bool command_chaining = false;
    bool extended_length = false;
    unsigned logical_channels = 1; ///< the basic one counts
};

/// An answer to reset, taken apart (ISO/IEC 7816-3 clause 8).
struct Atr {
    enum class Check {
        NotWanted, ///< T=0 alone
        Right,
        Wrong,
        Missing,
    };
    bool inverse = false; ///< TS = 3F
    std::vector<InterfaceOctet> interface_octets;
    std::vector<std::uint8_t> protocols; ///< T as offered, without 15; T=0 where none is named
    Bytes historical;
    Check check = Check::NotWanted;                ///< TCK
    unsigned clock_divider = 372;                  ///< F of TA1; 0 = a value in reserve
    unsigned baud_divider = 1;                     ///< D of TA1; 0 = a value in reserve
    std::optional<std::uint8_t> specific_protocol; ///< TA2: the only one, no PPS
    unsigned extra_guard_time = 0;                 ///< N of TC1, 255 = the shortest
    unsigned waiting_integer = 10;                 ///< WI of TC2, for T=0
    unsigned information_field = 32;               ///< IFSC, for T=1
    std::optional<bool> crc;                       ///< T=1: CRC instead of LRC
    /// TA of T=15: supply voltages ("5 V", "3 V", "1.8 V"). Empty = not said.
    std::vector<std::string> voltages;
    std::optional<CardCapabilities> capabilities; ///< when the historical octets have them

    [[nodiscard]] bool offers(std::uint8_t protocol) const;
};

/// Malformed: TS that is none, cut short, octets behind the end, more than 33. A wrong or
/// missing TCK is told, not refused: readers have taken such cards.
[[nodiscard]] Result<Atr> parse_atr(ByteView octets);

} // namespace mtkey::uicc
