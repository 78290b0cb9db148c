// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

#include <optional>
#include <string>

namespace mtkey::gba {

inline constexpr std::string_view kBsfMediaType = "application/vnd.3gpp.bsf+xml";
inline constexpr std::size_t kBsfDocumentLimit = 8 * 1024;

/// BootstrappingInfo of TS 24.109 annex C.1. Owns its strings.
struct BsfDocument {
    std::string
        b_tid; ///< opaque; 1 to 255 printable ASCII octets with a domain behind the last '@'
    UtcTime lifetime{};
    std::string lifetime_text; ///< as it stood there, for EF_GBABP
    std::optional<UtcTime> current_time;
};

/// Namespace uri:3gpp-gba with any prefix, UTF-8, no document type, depth 8; btid and lifetime
/// exactly once and right below the root; elements and attributes that we do not know are skipped.
/// BsfBadAnswer otherwise (threats N4).
[[nodiscard]] Result<BsfDocument> parse_bsf_document(ByteView body);

} // namespace mtkey::gba
