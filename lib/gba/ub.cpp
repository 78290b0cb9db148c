// SPDX-License-Identifier: Apache-2.0
#include "gba/ub.hpp"

#include "aka/digest.hpp"
#include "base/encoding.hpp"
#include "base/http_date.hpp"
#include "base/log.hpp"
#include "gba/bsf_document.hpp"

namespace mtkey::gba {
namespace {

/// What the HTTP client says, in the words of a run.
Error bsf_error(Error error) {
    switch (error.code) {
    case Errc::IoFailed:
        error.code = Errc::BsfUnreachable;
        break;
    case Errc::Malformed:
    case Errc::LimitExceeded:
        error.code = Errc::BsfBadAnswer;
        break;
    default:
        break;
    }
    return error;
}

/// Statuses that are neither a challenge nor a result (TS 24.109 clause 4.3).
std::unexpected<Error> status_error(unsigned status) {
    const std::string context = "HTTP status " + std::to_string(status);
    if (status == 403) {
        return fail(Errc::BsfRejected, context, status);
    }
    if (status >= 500 && status <= 599) {
        return fail(Errc::BsfUnreachable, context, status);
    }
    // Redirects too: realm, Host and NAF keys are bound to the name that we asked.
    return fail(Errc::BsfBadAnswer, context, status);
}

aka::DigestInputs digest_inputs(std::string_view impi, const DigestChallenge& challenge,
                                const std::string& cnonce) {
    aka::DigestInputs inputs;
    inputs.username = std::string(impi);
    inputs.realm = challenge.realm;
    inputs.nonce = challenge.nonce;
    inputs.cnonce = cnonce;
    return inputs;
}

/// Authorization of TS 24.109 annex A.4. `auts` is empty but for a resynchronisation.
Result<std::string> authorization(const aka::DigestInputs& inputs, const std::string& response,
                                  const std::optional<std::string>& opaque, std::string_view auts) {
    std::string header = "Digest username=" + MTKEY_TRY(aka::quote(inputs.username));
    header += ", realm=" + MTKEY_TRY(aka::quote(inputs.realm));
    header += ", nonce=" + MTKEY_TRY(aka::quote(inputs.nonce));
    header += ", uri=\"" + inputs.uri + "\", qop=" + inputs.qop + ", nc=" + inputs.nc;
    header += ", cnonce=\"" + inputs.cnonce + "\", response=\"" + response + "\"";
    if (opaque) {
        header += ", opaque=" + MTKEY_TRY(aka::quote(*opaque));
    }
    header += ", algorithm=AKAv1-MD5";
    if (!auts.empty()) {
        header += ", auts=\"" + std::string(auts) + "\"";
    }
    return header;
}

/// Nothing of the answer may be used before this has succeeded (threats N3). Authentication-Info
/// says who made the body, and with cnonce and nc for which request.
Result<void> verify_rspauth(const HttpResponse& response, const aka::DigestInputs& inputs,
                            const SecretBytes& res, bool require_rspauth) {
    const auto untrusted = [](const char* why) {
        return fail(Errc::BsfUntrusted, std::string("Authentication-Info: ") + why);
    };
    const auto fields = response.headers.all("Authentication-Info");
    if (fields.empty() && !require_rspauth) {
        return {};
    }
    if (fields.size() != 1) {
        return untrusted(fields.empty() ? "missing" : "stands more than once");
    }
    const auto info = aka::DigestParameters::parse_info(fields.front());
    if (!info) {
        return untrusted("not readable");
    }
    if (info->get("qop") != inputs.qop || info->get("cnonce") != inputs.cnonce ||
        info->get("nc") != inputs.nc) {
        return untrusted("qop, cnonce and nc are not those of the request");
    }
    const auto rspauth = info->get("rspauth");
    const auto expected = aka::digest_rspauth(inputs, res.reveal(), as_octets(response.body));
    if (!rspauth || !aka::digest_equal(expected, *rspauth)) {
        return untrusted(rspauth ? "rspauth is wrong" : "no rspauth");
    }
    return {};
}

/// The media type without its parameters (RFC 9110 section 8.3.1).
Result<void> check_content(const HttpHeaders& headers) {
    const auto bad = [](const char* why) { return fail(Errc::BsfBadAnswer, why); };
    const auto types = headers.all("Content-Type");
    if (types.size() != 1) {
        return bad("Content-Type does not stand exactly once");
    }
    auto type = types.front().substr(0, types.front().find(';'));
    type = type.substr(0, type.find_last_not_of(" \t") + 1);
    if (!equal_ignoring_case(type, kBsfMediaType)) {
        return bad("Content-Type is not application/vnd.3gpp.bsf+xml");
    }
    for (const auto coding : headers.all("Content-Encoding")) {
        if (!equal_ignoring_case(coding, "identity")) {
            return bad("a Content-Encoding that nobody asked for");
        }
    }
    return {};
}

} // namespace

Result<HttpResponse> Ub::exchange(std::string authorization) {
    HttpRequest request;
    request.headers.add("User-Agent", std::string(kUbUserAgent));
    request.headers.add("Date", http_date(clock_.utc_now()));
    request.headers.add("Accept", "*/*");
    request.headers.add("Authorization", std::move(authorization));
    ++exchanges_;
    auto response = bsf_.exchange(request);
    if (!response) {
        return std::unexpected(bsf_error(std::move(response).error()));
    }
    return response;
}

Result<DigestChallenge> Ub::challenge_of(const HttpResponse& response) const {
    if (response.status != 401) {
        return status_error(response.status);
    }
    return accept_challenge(response.headers, bsf_.fqdn());
}

Result<std::string> Ub::make_cnonce() {
    std::array<std::uint8_t, 16> octets{};
    MTKEY_CHECK(random_.fill(octets));
    return to_hex(octets);
}

Result<DigestChallenge> Ub::ask() {
    const auto response = MTKEY_TRY(exchange("Digest username=" + MTKEY_TRY(aka::quote(impi_)) +
                                             ", realm=" + MTKEY_TRY(aka::quote(bsf_.fqdn())) +
                                             R"(, nonce="", uri="/", response="")"));
    return challenge_of(response);
}

Result<DigestChallenge> Ub::resynchronise(const DigestChallenge& challenge,
                                          const std::array<std::uint8_t, 14>& auts) {
    const auto inputs = digest_inputs(impi_, challenge, MTKEY_TRY(make_cnonce()));
    const auto response = MTKEY_TRY(exchange(MTKEY_TRY(authorization(
        inputs, aka::digest_response(inputs, {}, {}), challenge.opaque, to_base64(auts)))));
    return challenge_of(response);
}

Result<std::string> Ub::answer(const DigestChallenge& challenge, const SecretBytes& res,
                               bool require_rspauth) {
    const auto inputs = digest_inputs(impi_, challenge, MTKEY_TRY(make_cnonce()));
    auto response = MTKEY_TRY(exchange(MTKEY_TRY(authorization(
        inputs, aka::digest_response(inputs, res.reveal(), {}), challenge.opaque, {}))));
    if (response.status == 401) {
        return fail(Errc::BsfRejected, "the BSF did not accept the UICC's answer", 401);
    }
    if (response.status != 200) {
        return status_error(response.status);
    }
    if (!require_rspauth) {
        log(LogLevel::Warning, "bsf.require_rspauth is off: anybody on the way to the BSF can "
                               "forge B-TID and lifetime");
    }
    MTKEY_CHECK(verify_rspauth(response, inputs, res, require_rspauth));
    MTKEY_CHECK(check_content(response.headers));
    return std::move(response.body);
}

} // namespace mtkey::gba
