// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "kdf/naf_id.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mtkey::kdf {

/// How Ks_local_MT is derived. DRAFT-GAP(kdf): the draft names the inputs, not the function.
struct KdfProfile {
    enum class Input { BTid, NafId, DeviceId };
    std::string name;         ///< travels in the messages; a mismatch is a named error
    Bytes fc;                 ///< one octet, or FF || FC2
    std::string p0;           ///< static label; empty = parameter absent
    std::vector<Input> order; ///< each input exactly once
};

/// The built-in "draft-1": FC = 01, P0 = "ks-local-mt", then B-TID, NAF_ID, Device_ID (order of the
/// draft's sentence).
const KdfProfile& draft_1();
/// Built-in by name; Errc::ProfileMismatch for a name we do not have.
Result<const KdfProfile*> find_profile(std::string_view name);

/// Ks_local_MT = KDF(Ks_(ext)_NAF; B-TID, NAF_ID, Device_ID), draft clause 5.5.2 steps 9 and 15.
/// `b_tid`: exactly the string of <btid>. `device_id`: canonical (see canonical_device_id).
Result<Secret<32>> ks_local_mt(const KdfProfile& profile, const Secret<32>& ks_naf,
                               std::string_view b_tid, const NafId& naf_id,
                               std::string_view device_id);

/// Device_ID: 1 to 128 printable ASCII octets, no space, lower case; anything else is an Error,
/// nothing is converted.
Result<std::string> canonical_device_id(std::string_view text);

} // namespace mtkey::kdf
