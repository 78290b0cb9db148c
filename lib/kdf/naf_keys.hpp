// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "kdf/naf_id.hpp"

#include <span>
#include <string>
#include <string_view>

namespace mtkey::kdf {

using Rand = std::array<std::uint8_t, 16>;

/// Ks = CK || IK (TS 33.220 clause 4.5.2).
Secret<32> ks(std::span<const std::uint8_t, 16> ck, std::span<const std::uint8_t, 16> ik);

/// Ks_NAF of GBA_ME and Ks_ext_NAF of GBA_U: one derivation, "gba-me" (TS 33.220 clause B.3).
Result<Secret<32>> ks_ext_naf(const Secret<32>& ks, const Rand& rand, std::string_view impi,
                              const NafId& naf_id);
/// Ks_int_NAF of GBA_U, "gba-u"; never leaves the UICC.
Result<Secret<32>> ks_int_naf(const Secret<32>& ks, const Rand& rand, std::string_view impi,
                              const NafId& naf_id);
inline constexpr std::string_view kTmpiSuffix = "@tmpi.bsf.3gppnetwork.org";
/// BSF_Id = BSF FQDN || 01 00 00 01 00 (TS 33.220 clause B.4): the NAF_ID that TMPI is derived
/// with.
Result<NafId> bsf_id(std::string_view bsf_fqdn);
/// TMPI (TS 33.220 clause B.4): base64(first 24 octets) || "@tmpi.bsf.3gppnetwork.org"; from the
/// key of bsf_id(), as the UICC derives it in GBA_U.
std::string tmpi(const Secret<32>& key_of_bsf_id);
Result<std::string> tmpi(const Secret<32>& ks, const Rand& rand, std::string_view impi,
                         std::string_view bsf_fqdn);

} // namespace mtkey::kdf
