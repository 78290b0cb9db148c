// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "kdf/naf_id.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mtkey::bsf {

/// BootstrappingInfoRequest of TS 29.309 (Nbsp_GBA). gsIds is checked for its form and not kept:
/// there are no USS here.
struct BootstrappingInfoRequest {
    std::string b_tid;
    kdf::NafId naf_id;
    bool gba_u_aware = false;
};
/// At most 8 KiB of JSON; unknown members are ignored, repeated ones refused. Malformed; the
/// context is the cause of TS 29.500: INVALID_MSG_FORMAT, MANDATORY_IE_MISSING,
/// MANDATORY_IE_INCORRECT, OPTIONAL_IE_INCORRECT.
Result<BootstrappingInfoRequest> parse_bootstrapping_info_request(std::string_view json);

/// BootstrappingInfoResponse; borrows its keys.
struct BootstrappingInfo {
    const Secret<32>& ks_ext_naf;                ///< or Ks_NAF
    const std::optional<Secret<32>>& ks_int_naf; ///< only for a NAF that is aware of GBA_U
    UtcTime expires;
    UtcTime created;
    std::string_view impi;
    bool gba_2g = false; ///< gbaType: a NAF may refuse keys that come of a SIM
};
/// The text holds the keys, once: its buffer is of the right size from the start. Whoever sends it
/// wipes it.
std::string write_bootstrapping_info(const BootstrappingInfo& info);

/// application/problem+json (RFC 9457) with `cause` as TS 29.571 has it.
std::string write_problem(unsigned status, std::string_view cause, std::string_view title);

} // namespace mtkey::bsf
