// SPDX-License-Identifier: Apache-2.0
#include "gba/challenge.hpp"

#include "aka/digest.hpp"

namespace mtkey::gba {
namespace {

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// qop is a list: "auth,auth-int" (RFC 7616 section 3.3).
bool offers_auth_int(std::string_view qop) {
    while (true) {
        const auto comma = qop.find(',');
        if (trimmed(qop.substr(0, comma)) == "auth-int") {
            return true;
        }
        if (comma == std::string_view::npos) {
            return false;
        }
        qop.remove_prefix(comma + 1);
    }
}

std::unexpected<Error> refused(std::string why) {
    return fail(Errc::BsfBadAnswer, "challenge of the BSF: " + std::move(why), 401);
}

Result<uicc::Challenge> aka_of(std::string_view nonce) {
    const auto aka = aka::parse_nonce(nonce);
    if (!aka) {
        return refused("nonce without RAND and AUTN");
    }
    return uicc::Challenge{.rand = aka->rand, .autn = aka->autn};
}

} // namespace

Result<DigestChallenge> accept_challenge(const HttpHeaders& headers, std::string_view bsf_fqdn) {
    const auto fields = headers.all("WWW-Authenticate");
    if (fields.size() != 1) {
        return refused(fields.empty() ? "no WWW-Authenticate" : "more than one WWW-Authenticate");
    }
    const auto parameters = aka::DigestParameters::parse_challenge(fields.front());
    if (!parameters) {
        return refused("not one Digest challenge");
    }
    // Exactly this one: MD5 and AKAv1-MD5-sess would be answered with the same RES (threats N2).
    if (parameters->get("algorithm") != "AKAv1-MD5") {
        return refused("algorithm is not AKAv1-MD5");
    }
    const auto qop = parameters->get("qop");
    if (!qop || !offers_auth_int(*qop)) {
        return refused("qop without auth-int");
    }
    if (parameters->get("realm") != bsf_fqdn) {
        return refused("realm is not the name of the BSF");
    }
    const auto nonce = parameters->get("nonce");
    if (!nonce) {
        return refused("no nonce");
    }
    DigestChallenge challenge;
    challenge.aka = MTKEY_TRY(aka_of(*nonce));
    challenge.realm = std::string(bsf_fqdn);
    challenge.nonce = std::string(*nonce);
    if (const auto opaque = parameters->get("opaque")) {
        if (!aka::quote(*opaque)) {
            return refused("opaque that cannot be echoed");
        }
        challenge.opaque = std::string(*opaque);
    }
    return challenge;
}

Result<DigestChallenge> accept_next_nonce(const std::string& next_nonce,
                                          const DigestChallenge& answered) {
    DigestChallenge challenge = answered; // realm and opaque stay
    challenge.aka = MTKEY_TRY(aka_of(next_nonce));
    if (challenge.aka == answered.aka) {
        return refused("nextnonce repeats RAND and AUTN");
    }
    challenge.nonce = next_nonce;
    challenge.kept = true;
    return challenge;
}

} // namespace mtkey::gba
