// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "kdf/gba_2g.hpp"

#include <string_view>

namespace mtkey::gba {

/// What the nonce of a 2G challenge holds.
struct Challenge2g {
    kdf::Rand rand{};
    kdf::KsInput ks_input{};
};

/// base64(RAND || 16 octets 00 || Ks-input), 48 octets and no more (TS 24.109 annex H.2).
/// BsfBadAnswer.
[[nodiscard]] Result<Challenge2g> parse_2g_nonce(std::string_view nonce);

} // namespace mtkey::gba
