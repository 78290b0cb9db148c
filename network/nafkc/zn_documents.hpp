// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "kdf/naf_id.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mtkey::nafkc {

/// BootstrappingInfoRequest: draft 5.5.2 step 13.
std::string write_retrieval(std::string_view b_tid, const kdf::NafId& naf_id, bool gba_u_aware);

/// BootstrappingInfoResponse: draft 5.5.2 step 14.
struct BootstrappingInfo {
    Secret<32> ks_naf;         ///< Ks_NAF or Ks_ext_NAF: the number does not tell which
    bool has_uicc_key = false; ///< Ks_int_NAF was there: the run was GBA_U
    bool gba_2g = false;       ///< gbaType
    std::optional<UtcTime> expires;
    std::optional<UtcTime> created;
    std::string impi;
};

/// Lifts the keys out of `json` before the JSON library sees it: in the text digits of no meaning
/// stand in their place afterwards, whatever the result. Refused: members that stand twice,
/// anything above 16 KiB, keys of other lengths, another gbaType than 3G_GBA and 2G_GBA, no time at
/// all, no IMPI.
Result<BootstrappingInfo> take_retrieved(std::string& json);

} // namespace mtkey::nafkc
