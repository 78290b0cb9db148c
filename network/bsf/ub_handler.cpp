// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/ub_handler.hpp"

#include "base/encoding.hpp"
#include "base/http_date.hpp"
#include "base/log.hpp"
#include "kdf/naf_keys.hpp"
#include "network/bsf/bsf_document.hpp"
#include "network/bsf/gba_2g.hpp"

#include <array>
#include <exception>
#include <utility>

namespace mtkey::bsf {
namespace {

// The token says that this end knows of TMPI (TS 33.220 clause 4.5.2); it is a matter of Release 8
// on.
constexpr std::string_view kServer = "Bootstrapping Server; Release-6; 3gpp-gba-tmpi";

HttpResponse answer_of(unsigned status) {
    HttpResponse response;
    response.status = status;
    response.headers.add("Server", std::string(kServer));
    return response;
}

HttpResponse text_answer(unsigned status, std::string_view text) {
    auto response = answer_of(status);
    response.headers.add("Content-Type", "text/plain");
    response.body = std::string(text) + "\n";
    return response;
}

/// For strangers and for those that failed the same, without a reason. That a stranger gets no
/// challenge tells who is a subscriber all the same: there is no vector to send.
HttpResponse forbidden() {
    return text_answer(403, "refused");
}

HttpResponse answer_of(const Error& error) {
    switch (error.code) {
    case Errc::Malformed:
    case Errc::InvalidArgument:
        log_warning("Ub request", error);
        return text_answer(400, error.context);
    case Errc::NotFound:
    case Errc::Rejected:
        return forbidden();
    default:
        log_error("Ub request", error);
        return text_answer(info(error.code).retry_helps ? 503 : 500, "not served");
    }
}

} // namespace

UbHandler::UbHandler(UbSettings settings, AuthenticationCentre& centre, BootstrappingStore& store,
                     const Clock& clock, RandomSource& random)
    : settings_(std::move(settings)),
      centre_(centre),
      store_(store),
      clock_(clock),
      random_(random),
      pending_(clock) {}

HttpResponse UbHandler::handle(const HttpRequest& request) {
    try {
        auto response = dispatch(request);
        return response ? std::move(*response) : answer_of(response.error());
    } catch (const std::exception& error) { // the secure heap may be full
        log(LogLevel::Error, "Ub request failed", {{"why", error.what()}});
        return text_answer(503, "not served");
    }
}

Result<HttpResponse> UbHandler::dispatch(const HttpRequest& request) {
    if (request.target != "/") {
        return text_answer(404, "bootstrapping is done at /");
    }
    if (request.method != "GET") {
        auto response = text_answer(405, "bootstrapping is done with GET");
        response.headers.add("Allow", "GET");
        return response;
    }
    const auto authorization = MTKEY_TRY(parse_authorization(request, settings_.fqdn));
    if (authorization.first()) {
        return begin(authorization.inputs.username);
    }
    return answered(authorization, request.body);
}

Result<HttpResponse> UbHandler::begin(const std::string& username) {
    if (!username.ends_with(kdf::kTmpiSuffix)) {
        return challenge({username, username}, {});
    }
    if (auto impi = store_.impi_of(username)) {
        return challenge({username, std::move(*impi)}, {});
    }
    // DRAFT-GAP(unknown-tmpi): TS 33.220 clause 4.5.2 has the UE go on with its IMPI; a 401 without
    // a nonce asks for an identity as an Authorization without one gives it.
    log(LogLevel::Notice, "TMPI unknown or expired");
    auto response = answer_of(401);
    response.headers.add("WWW-Authenticate",
                         "Digest realm=" + MTKEY_TRY(aka::quote(settings_.fqdn)) +
                             ", nonce=\"\", algorithm=AKAv1-MD5, qop=\"auth-int\"");
    return response;
}

Result<HttpResponse> UbHandler::challenge(const Subscriber& subscriber, const History& history) {
    const auto& impi = subscriber.impi;
    auto issued = centre_.next_vector(impi);
    if (!issued) {
        log(LogLevel::Notice, "bootstrapping refused: no such subscriber",
            {{"impi", masked_identity(impi)}});
        return std::unexpected(std::move(issued).error());
    }
    const auto& vector = issued->vector;
    std::array<std::uint8_t, 16> opaque{};
    MTKEY_CHECK(random_.fill(opaque));

    PendingChallenge pending;
    pending.username = subscriber.username;
    pending.impi = impi;
    pending.opaque = to_hex(opaque);
    pending.rand = vector.rand;
    pending.mode = issued->mode;
    pending.lifetime = issued->lifetime;
    pending.resynchronisations = history.resynchronisations;
    pending.refusals = history.refusals;
    pending.ks = kdf::ks(vector.ck.reveal(), vector.ik.reveal());
    pending.password = vector.xres.clone();
    auto autn = vector.autn;
    if (pending.mode == Mode::GbaU) {
        autn = aka::gba_u_autn(autn, vector.ik, settings_.gba_u);
        aka::gba_u_flip(pending.password, settings_.gba_u);
    }
    auto nonce = aka::make_nonce(vector.rand, autn);
    if (pending.mode == Mode::Gba2g) {
        if (!settings_.tls) {
            log(LogLevel::Warning, "2G GBA refused: Ub is not behind TLS",
                {{"impi", masked_identity(impi)}});
            return fail(Errc::Rejected, "2G GBA");
        }
        kdf::KsInput ks_input{};
        MTKEY_CHECK(random_.fill(ks_input));
        auto of_sim = MTKEY_TRY(make_2g_challenge(vector, ks_input));
        nonce = std::move(of_sim.nonce);
        pending.password = std::move(of_sim.password);
        pending.ks = std::move(of_sim.ks);
    }

    auto response = answer_of(401);
    response.headers.add("WWW-Authenticate",
                         "Digest realm=" + MTKEY_TRY(aka::quote(settings_.fqdn)) + ", nonce=\"" +
                             nonce + "\", algorithm=AKAv1-MD5, qop=\"auth-int\", opaque=\"" +
                             pending.opaque + "\"");
    log(LogLevel::Info, "challenge issued",
        {{"impi", masked_identity(impi)}, {"mode", to_text(pending.mode)}});
    pending_.put(std::move(nonce), std::move(pending));
    return response;
}

Result<HttpResponse> UbHandler::answered(const UbAuthorization& answer,
                                         std::string_view entity_body) {
    auto pending = pending_.take(answer.inputs.nonce, answer.inputs.username);
    if (!pending) {
        // Used, expired or never ours: the UE needs a fresh challenge, and learns no more than from
        // a first request.
        log(LogLevel::Notice, "answer to no open challenge",
            {{"impi", masked_identity(answer.inputs.username)}});
        return begin(answer.inputs.username);
    }
    // RFC 3310 section 3.4: together with auts the password is empty.
    const ByteView password = answer.auts ? ByteView{} : pending->password.reveal();
    const auto expected = aka::digest_response(answer.inputs, password, as_octets(entity_body));
    const bool right = aka::digest_equal(expected, answer.response);
    if (!equal_constant_time(as_octets(answer.opaque), as_octets(pending->opaque))) {
        return refuse(std::move(*pending), "opaque");
    }
    if (!right) {
        return refuse(std::move(*pending), "response");
    }
    return answer.auts ? resynchronise(answer, std::move(*pending))
                       : bootstrapped(answer, std::move(*pending));
}

Result<HttpResponse> UbHandler::resynchronise(const UbAuthorization& answer,
                                              PendingChallenge pending) {
    if (pending.resynchronisations >= kMostResynchronisations) {
        log(LogLevel::Warning, "card stays out of sync", {{"impi", masked_identity(pending.impi)}});
        return fail(Errc::Rejected, "resynchronisation");
    }
    if (const auto done = centre_.resynchronise(pending.impi, pending.rand, *answer.auts); !done) {
        return refuse(std::move(pending), "auts");
    }
    log(LogLevel::Notice, "resynchronised", {{"impi", masked_identity(pending.impi)}});
    return challenge({pending.username, pending.impi},
                     {pending.resynchronisations + 1, pending.refusals});
}

Result<HttpResponse> UbHandler::refuse(PendingChallenge pending, std::string_view why) {
    log(LogLevel::Warning, "wrong answer to a challenge",
        {{"impi", masked_identity(pending.impi)},
         {"what", why},
         {"before", std::int64_t{pending.refusals}}});
    if (pending.refusals >= kMostRefusals) {
        return fail(Errc::Rejected, "authentication");
    }
    return challenge({pending.username, pending.impi},
                     {pending.resynchronisations, pending.refusals + 1});
}

Result<HttpResponse> UbHandler::bootstrapped(const UbAuthorization& answer,
                                             PendingChallenge pending) {
    const auto lifetime = pending.lifetime.value_or(settings_.lifetime);
    BootstrappingContext context;
    context.b_tid = to_base64(pending.rand) + "@" + settings_.fqdn;
    context.impi = pending.impi;
    context.tmpi = MTKEY_TRY(kdf::tmpi(pending.ks, pending.rand, pending.impi, settings_.fqdn));
    context.rand = pending.rand;
    context.ks = std::move(pending.ks);
    context.mode = pending.mode;
    context.created = clock_.utc_now();
    context.expires = context.created + lifetime;
    context.deadline = clock_.boot_now() + lifetime;

    auto response = answer_of(200);
    response.body = bsf_document(context.b_tid, context.expires);
    const auto rspauth =
        aka::digest_rspauth(answer.inputs, pending.password.reveal(), as_octets(response.body));
    response.headers.add("Authentication-Info",
                         "qop=auth-int, rspauth=\"" + rspauth + "\", cnonce=" +
                             MTKEY_TRY(aka::quote(answer.inputs.cnonce)) + ", nc=00000001");
    response.headers.add("Expires", http_date(context.expires));
    response.headers.add("Content-Type", std::string(kBsfDocumentType));
    const auto b_tid = masked_b_tid(context.b_tid);
    const auto expires = format_utc(context.expires);
    MTKEY_CHECK(store_.add(std::move(context)));
    log(LogLevel::Info, "bootstrapped",
        {{"impi", masked_identity(pending.impi)},
         {"b_tid", b_tid},
         {"mode", to_text(pending.mode)},
         {"expires", expires}});
    return response;
}

} // namespace mtkey::bsf
