// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/ub_authorization.hpp"

#include "base/encoding.hpp"

#include <algorithm>

namespace mtkey::bsf {
namespace {

constexpr std::size_t kLongestUsername = 255; // an NAI (RFC 7542) in the card's one-octet length
constexpr std::size_t kLongestCnonce = 256;
constexpr std::size_t kDigestLength = 32;

std::unexpected<Error> malformed(const char* what) {
    return fail(Errc::Malformed, what);
}

Result<aka::Auts> parse_auts(std::string_view text) {
    const auto octets = from_base64(text);
    aka::Auts auts{};
    if (!octets || octets->size() != auts.size()) {
        return malformed("auts is not the base64 of 14 octets");
    }
    std::ranges::copy(*octets, auts.begin());
    return auts;
}

/// What only an answer to a challenge carries.
Result<void> parse_answer(const aka::DigestParameters& parameters, UbAuthorization& out) {
    if (parameters.get("qop") != "auth-int") {
        return malformed("qop must be auth-int");
    }
    if (parameters.get("nc") != "00000001") {
        return malformed("nc must be 00000001: each nonce is used once");
    }
    const auto cnonce = parameters.get("cnonce");
    if (!cnonce || cnonce->empty() || cnonce->size() > kLongestCnonce) {
        return malformed("cnonce must have 1 to 256 characters");
    }
    out.inputs.cnonce = *cnonce;
    out.opaque = parameters.get("opaque").value_or("");
    if (out.response.size() != kDigestLength) {
        return malformed("response must have 32 hex digits");
    }
    if (const auto auts = parameters.get("auts")) {
        out.auts = MTKEY_TRY(parse_auts(*auts));
    }
    return {};
}

} // namespace

Result<UbAuthorization> parse_authorization(const HttpRequest& request, std::string_view realm) {
    const auto header = MTKEY_TRY(request.headers.single("Authorization"));
    if (!header) {
        return malformed("no Authorization header: the first request names the subscriber");
    }
    const auto parameters = MTKEY_TRY(aka::DigestParameters::parse_challenge(*header));
    const auto username = parameters.get("username");
    if (!username || username->empty() || username->size() > kLongestUsername) {
        return malformed("username must have 1 to 255 characters");
    }
    if (parameters.get("realm") != realm) {
        return malformed("realm is not the name of this BSF");
    }
    if (parameters.get("uri") != request.target) {
        return malformed("uri is not the request's");
    }
    if (const auto algorithm = parameters.get("algorithm");
        algorithm && !equal_ignoring_case(*algorithm, "AKAv1-MD5")) {
        return malformed("algorithm must be AKAv1-MD5");
    }
    const auto nonce = parameters.get("nonce");
    const auto response = parameters.get("response");
    if (!nonce || !response) {
        return malformed("nonce and response must be there, in the first request empty");
    }
    UbAuthorization out;
    out.inputs.username = *username;
    out.inputs.realm = realm;
    out.inputs.nonce = *nonce;
    out.inputs.uri = request.target;
    out.inputs.method = request.method;
    out.response = *response;
    if (!out.first()) {
        MTKEY_CHECK(parse_answer(parameters, out));
    }
    return out;
}

} // namespace mtkey::bsf
