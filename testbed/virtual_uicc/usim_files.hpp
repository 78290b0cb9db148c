// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "testbed/virtual_uicc/card_profile.hpp"
#include "testbed/virtual_uicc/file_system.hpp"

namespace mtkey::testbed {

/// Files of ADF_USIM that the card itself writes (TS 31.102 clauses 4.2.79 and 4.2.83).
inline constexpr std::uint16_t kEfGbabp = 0x6FD6;
inline constexpr std::uint16_t kEfGbanl = 0x6FDA;

/// InvalidArgument names the first setting that no card could have, and the remedy.
Result<void> check_profile(const CardProfile& profile);

/// MF with EF_DIR and EF_ICCID (TS 102 221 clause 13). `profile` passed check_profile.
Directory master_file(const CardProfile& profile);
/// ADF_USIM (TS 31.102 clause 4.2) with the files that the profile's services bring.
Directory usim(const CardProfile& profile);

} // namespace mtkey::testbed
