// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <cstdint>
#include <optional>

namespace mtkey::uicc {

/// Command APDU as the application means it, above the T=0 mapping (ISO/IEC 7816-4 clause 5.1,
/// short form).
struct CommandApdu {
    std::uint8_t cla = 0x00;
    std::uint8_t ins = 0;
    std::uint8_t p1 = 0;
    std::uint8_t p2 = 0;
    SecretBytes data;                ///< 0 to 255 octets; may be a PIN
    std::optional<std::uint16_t> le; ///< 1 to 256; none = no answer data expected

    /// CLA INS P1 P2 [Lc data] [Le], the form of T=1 and of the vectors.
    [[nodiscard]] SecretBytes encode() const;
};

/// Parses the short form of any of the four cases; for card simulators and traces.
Result<CommandApdu> parse_command(ByteView octets);

struct ResponseApdu {
    SecretBytes data; ///< all of it: GET RESPONSE chains are already joined
    std::uint16_t sw = 0;
    [[nodiscard]] bool ok() const { return sw == 0x9000 || (sw >> 8) == 0x91; }
};

} // namespace mtkey::uicc
