// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/secret.hpp"

#include <array>
#include <initializer_list>
#include <string_view>

namespace mtkey::kdf {

/// TS 33.220 clause B.2.0: HMAC-SHA-256(key, FC || P0 || L0 || P1 || L1 || ...), Li = 2 octets, big
/// endian. An empty parameter keeps its length field. `fc` is one octet, or two (FF || FC2). A
/// parameter above 65535 octets is an Error (InvalidArgument).
Result<Secret<32>> derive(ByteView key, ByteView fc, std::span<const ByteView> parameters);
Result<Secret<32>> derive(ByteView key, std::uint8_t fc,
                          std::initializer_list<ByteView> parameters);

/// First 8 octets of HMAC-SHA-256(key, "mtkey fingerprint"): lets people compare keys (design.md
/// decision 14).
std::array<std::uint8_t, 8> fingerprint(ByteView key);

} // namespace mtkey::kdf
