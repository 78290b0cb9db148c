// SPDX-License-Identifier: Apache-2.0
#include "gba/ub.hpp"

#include "base/encoding.hpp"
#include "base/http_date.hpp"
#include "base/log.hpp"
#include "gba/authentication_info.hpp"
#include "gba/bsf_document.hpp"

#include <algorithm>

namespace mtkey::gba {
namespace {

constexpr unsigned kTooManyRequests = 429;
constexpr unsigned kUnavailable = 503;
// The product token of those that know of TMPI (TS 33.220 clause 4.5.2).
constexpr std::string_view kTmpiToken = "3gpp-gba-tmpi";
constexpr std::string_view kUserAgent = "Bootstrapping Client Agent";

/// What the HTTP client says, in the words of a run.
Error bsf_error(Error error) {
    switch (error.code) {
    case Errc::IoFailed:
    case Errc::LinkLost:
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
    if ((status >= 500 && status <= 599) || status == kTooManyRequests) {
        return fail(Errc::BsfUnreachable, context, status);
    }
    // Redirects too: realm, Host and NAF keys are bound to the name that we asked.
    return fail(Errc::BsfBadAnswer, context, status);
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

/// "Bootstrapping Server; Release-6; 3gpp-gba-tmpi": peers separate tokens like this, RFC 9110 by
/// spaces.
bool knows_tmpi(const HttpHeaders& headers) {
    for (std::string_view server : headers.all("Server")) {
        while (!server.empty()) {
            const auto end = std::min(server.find_first_of("; ,\t"), server.size());
            if (server.substr(0, end) == kTmpiToken) {
                return true;
            }
            server.remove_prefix(std::min(end + 1, server.size()));
        }
    }
    return false;
}

} // namespace

Result<void> Ub::connect() {
    auto connected = bsf_.connect();
    if (!connected) {
        return std::unexpected(bsf_error(std::move(connected).error()));
    }
    return {};
}

Result<HttpResponse> Ub::exchange(std::string authorization, bool repeatable) {
    HttpRequest request;
    request.repeatable = repeatable;
    std::string agent(kUserAgent);
    if (with_tmpi_) {
        agent.append("; ").append(kTmpiToken);
    }
    request.headers.add("User-Agent", std::move(agent));
    request.headers.add("Date", http_date(clock_.utc_now()));
    request.headers.add("Accept", "*/*");
    request.headers.add("Authorization", std::move(authorization));
    ++exchanges_;
    auto response = bsf_.exchange(request);
    if (response) {
        report_delay(*response);
    }
    return response;
}

void Ub::report_delay(const HttpResponse& response) const {
    if (!events_.retry_after ||
        (response.status != kUnavailable && response.status != kTooManyRequests)) {
        return;
    }
    const auto field = response.headers.single("Retry-After");
    if (!field || !*field) {
        return;
    }
    if (const auto delay = parse_retry_after(**field, clock_.utc_now())) {
        events_.retry_after(*delay);
    }
}

std::string Ub::next_nc(const std::string& nonce) {
    if (nonce != counted_nonce_) {
        counted_nonce_ = nonce;
        nc_ = 0;
    }
    ++nc_;
    Bytes octets;
    append_u16(octets, nc_ >> 16);
    append_u16(octets, nc_ & 0xFFFF);
    return to_hex(octets);
}

Result<aka::DigestInputs> Ub::new_inputs(const DigestChallenge& challenge) {
    std::array<std::uint8_t, 16> cnonce{};
    MTKEY_CHECK(random_.fill(cnonce));
    aka::DigestInputs inputs;
    inputs.username = username_;
    inputs.realm = challenge.realm;
    inputs.nonce = challenge.nonce;
    inputs.cnonce = to_hex(cnonce);
    return inputs;
}

Result<HttpResponse> Ub::exchange(const DigestChallenge& challenge, aka::DigestInputs& inputs,
                                  ByteView password, std::string_view auts) {
    const auto once = [&]() -> Result<HttpResponse> {
        inputs.nc = next_nc(inputs.nonce);
        return exchange(MTKEY_TRY(authorization(inputs, aka::digest_response(inputs, password, {}),
                                                challenge.opaque, auts)),
                        false);
    };
    auto response = once();
    if (!response && response.error().code == Errc::LinkLost) {
        // The kept connection was closed before it came through, as far as can be told: a BSF that
        // has seen it all the same knows by nc that this is another request.
        response = once();
    }
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

Result<DigestChallenge> Ub::ask() {
    auto response = exchange("Digest username=" + MTKEY_TRY(aka::quote(username_)) +
                                 ", realm=" + MTKEY_TRY(aka::quote(bsf_.fqdn())) +
                                 R"(, nonce="", uri="/", response="")",
                             true);
    if (!response) {
        return std::unexpected(bsf_error(std::move(response).error()));
    }
    return challenge_of(*response);
}

Result<DigestChallenge> Ub::resynchronise(const DigestChallenge& challenge,
                                          const std::array<std::uint8_t, 14>& auts) {
    auto inputs = MTKEY_TRY(new_inputs(challenge));
    return challenge_of(MTKEY_TRY(exchange(challenge, inputs, {}, to_base64(auts))));
}

Result<std::variant<Ub::Accepted, DigestChallenge>>
Ub::answer(const DigestChallenge& challenge, const SecretBytes& res, bool require_rspauth) {
    auto inputs = MTKEY_TRY(new_inputs(challenge));
    auto response = MTKEY_TRY(exchange(challenge, inputs, res.reveal(), {}));
    if (response.status == 401 && challenge.kept) {
        return MTKEY_TRY(challenge_of(response));
    }
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
    auto info = MTKEY_TRY(verify_authentication_info(response, inputs, challenge.opaque,
                                                     res.reveal(), require_rspauth));
    MTKEY_CHECK(check_content(response.headers));
    return Accepted{std::move(response.body), std::move(info.next_nonce),
                    knows_tmpi(response.headers)};
}

} // namespace mtkey::gba
