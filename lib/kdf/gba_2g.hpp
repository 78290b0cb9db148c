// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "kdf/naf_keys.hpp"

#include <array>

namespace mtkey::kdf {

/// Ks-input of a 2G GBA challenge: what the BSF adds, so that Ks is fresh though RAND may be a
/// replayed one.
using KsInput = std::array<std::uint8_t, 16>;

// 2G GBA (TS 33.220 annex I), with Key = Kc || Kc || RAND and FC = 01. What is hashed was written
// after an implementation of annex I of version 7.5.0; the annex itself was not at hand.

/// RES, the Digest password: the first 16 octets of KDF(Key; "3gpp-gba-res", SRES).
Result<Secret<16>> gba_2g_res(const Secret<8>& kc, const Secret<4>& sres, const Rand& rand);
/// Ks: all 32 octets of KDF(Key; Ks-input, "3gpp-gba-ks", SRES).
Result<Secret<32>> gba_2g_ks(const Secret<8>& kc, const Secret<4>& sres, const Rand& rand,
                             const KsInput& ks_input);

} // namespace mtkey::kdf
