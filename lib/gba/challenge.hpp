// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/http_message.hpp"
#include "base/result.hpp"
#include "uicc/authenticate.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mtkey::gba {

/// What a run uses of a 401 that it has accepted. Owns its strings.
struct DigestChallenge {
    std::string realm;
    std::string nonce; ///< as it stood there: it is hashed and echoed
    std::optional<std::string> opaque;
    uicc::Challenge aka;
    bool kept = false; ///< nextnonce of an earlier run: the BSF may have forgotten it
};

/// The only way to a DigestChallenge, so that the card sees no RAND and AUTN of a challenge that
/// asks for less than AKAv1-MD5 with auth-int (RFC 3310 section 3, TS 24.109 clause 4.4 and annex
/// A.4; threats N2). BsfBadAnswer unless there is exactly one WWW-Authenticate field with exactly
/// one Digest challenge whose algorithm is AKAv1-MD5, qop offers auth-int, realm equals `bsf_fqdn`
/// and nonce holds RAND and AUTN.
[[nodiscard]] Result<DigestChallenge> accept_challenge(const HttpHeaders& headers,
                                                       std::string_view bsf_fqdn);

/// The challenge for the next run that the answer to `answered` brings by its nextnonce (RFC 7616
/// section 3.5). BsfBadAnswer unless it holds RAND and AUTN, and others than `answered`.
[[nodiscard]] Result<DigestChallenge> accept_next_nonce(const std::string& next_nonce,
                                                        const DigestChallenge& answered);

} // namespace mtkey::gba
