// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gba/challenge.hpp"

#include <optional>
#include <string>

namespace mtkey::gba {

/// What one run leaves to the next of the same UICC application; the caller keeps it, and drops it
/// when the card leaves. None of it is a key, and a run that finds it empty, or of no use to the
/// BSF, does without.
struct UbMemory {
    std::string bsf_fqdn; ///< that it is of; with another BSF or IMPI the rest is forgotten
    std::string impi;
    std::optional<std::string> tmpi; ///< of the last bootstrapping (TS 33.220 clause B.4)
    std::optional<DigestChallenge> next_challenge; ///< for one use
};

} // namespace mtkey::gba
