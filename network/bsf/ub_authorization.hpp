// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/algorithm.hpp"
#include "aka/digest.hpp"
#include "base/http_message.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mtkey::bsf {

/// The Authorization header of a request on Ub, form checked, nothing believed yet.
struct UbAuthorization {
    aka::DigestInputs inputs; ///< username, realm, uri and, in an answer, nonce, nc, cnonce, qop
    std::string opaque;       ///< empty when there is none
    std::string response;     ///< request-digest as received
    std::optional<aka::Auts> auts; ///< the card was out of sync (RFC 3310 section 3.4)

    /// The first request of a run gives the identity and an empty nonce (TS 24.109 annex A.3).
    [[nodiscard]] bool first() const { return inputs.nonce.empty(); }
};

/// `realm`: our FQDN. Malformed for anything that no UE following TS 24.109 sends: another realm,
/// uri, algorithm or qop, nc other than 00000001 (each nonce is used once), a missing or repeated
/// parameter, AUTS of a wrong length. An error's text holds nothing of the request.
Result<UbAuthorization> parse_authorization(const HttpRequest& request, std::string_view realm);

} // namespace mtkey::bsf
