// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <array>
#include <string>
#include <string_view>

namespace mtkey::kdf {

/// Ua security protocol identifier (TS 33.220 annex H).
using UaId = std::array<std::uint8_t, 5>;

/// DRAFT-GAP(ua-id): neither the draft nor annex H gives one for TS 33.259; FF is the private range
/// (H.2).
inline constexpr UaId kDefaultUaId{0xFF, 0x00, 0x03, 0x32, 0x59};

/// NAF_ID = FQDN || Ua security protocol identifier (TS 33.220 clauses B.3 and H.1).
/// It stands here, below everything that needs it: KDF input, card command, local interface and Zn.
struct NafId {
    std::string fqdn; ///< canonical: lower-case ASCII, no trailing dot, no port, 1 to 250 octets
    UaId ua = kDefaultUaId;

    [[nodiscard]] Bytes octets() const;
    /// "fqdn/ff00033259", for people and logs: the octets themselves may hold 00.
    [[nodiscard]] std::string text() const;
    friend bool operator==(const NafId&, const NafId&) = default;
};

/// Canonical FQDN (labels of letters, digits and inner hyphens, at least two labels), or an Error.
Result<std::string> canonical_fqdn(std::string_view text);
/// Ten hex digits. A first octet 00 is allowed only for 0000000000 (TS 33.220 annex H.2).
Result<UaId> parse_ua_id(std::string_view hex);
/// Canonical FQDN and Ua id from their octets; for what came from a peer.
Result<NafId> make_naf_id(std::string_view fqdn, ByteView ua);

} // namespace mtkey::kdf
