// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "network/bsf/faults.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mtkey::bsf {

/// Values that hold neither quotes nor backslashes: FQDN, base64, hex.
struct ChallengeParameters {
    std::string_view realm;
    std::string_view nonce;
    std::string_view opaque; ///< empty: left out
};
/// The value of WWW-Authenticate (RFC 3310 section 3.2).
std::string challenge_header(const ChallengeParameters& parameters, const Faults& faults);

struct InfoParameters {
    std::string_view rspauth;
    std::string_view cnonce;    ///< the UE's
    std::string_view nextnonce; ///< empty: left out
};
/// The value of Authentication-Info (RFC 7616 section 3.5). InvalidArgument for a cnonce that
/// cannot be quoted.
Result<std::string> authentication_info(const InfoParameters& parameters, const Faults& faults);

} // namespace mtkey::bsf
