// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/aka.hpp"
#include "base/secret.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mtkey::testbed {

/// ISO/IEC 7816-3 transmission protocol: T0 answers 61xx and 6Cxx, T1 gives the data at once.
enum class Protocol { T0, T1 };

/// What one card is made of, apart from its keys and SQN.
struct CardProfile {
    std::string iccid;              ///< 18 to 20 digits
    std::string imsi;               ///< 6 to 15 digits
    unsigned mnc_length = 2;        ///< 2 or 3; what EF_AD says
    bool gba = true;                ///< service 68: GBA context of AUTHENTICATE and its files
    bool local_key = false;         ///< service 76; with 68 it brings EF_NAFKCA
    bool gsm_access = false;        ///< service 27: Kc in the answer of the 3G context
    std::optional<SecretBytes> pin; ///< PIN of the application, 4 to 8 digits; none = disabled
    std::vector<std::string> naf_key_centers; ///< EF_NAFKCA, most preferred first
    aka::GbaURules gba_u;
    Protocol protocol = Protocol::T0;
};

} // namespace mtkey::testbed
