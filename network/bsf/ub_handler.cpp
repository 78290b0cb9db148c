// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/ub_handler.hpp"

#include "base/encoding.hpp"
#include "base/http_date.hpp"
#include "base/log.hpp"
#include "kdf/naf_keys.hpp"
#include "network/bsf/bsf_document.hpp"
#include "network/bsf/gba_2g.hpp"
#include "network/bsf/metrics.hpp"
#include "network/bsf/peer_network.hpp"
#include "network/bsf/ub_answers.hpp"
#include "network/bsf/ub_headers.hpp"

#include <array>
#include <exception>
#include <utility>

namespace mtkey::bsf {

UbHandler::UbHandler(UbSettings settings, VectorSource& vectors, BootstrappingStore& store,
                     const Clock& clock, RandomSource& random)
    : settings_(std::move(settings)),
      vectors_(vectors),
      store_(store),
      clock_(clock),
      random_(random),
      pending_(clock) {}

HttpResponse UbHandler::handle(const HttpRequest& request, std::string_view address) {
    try {
        if (auto response = status_fault(settings_.faults)) {
            return std::move(*response);
        }
        auto response = dispatch(request, peer_network(address));
        return response ? std::move(*response) : answer_of(response.error());
    } catch (const std::exception& error) { // the secure heap may be full
        count(Count::NotServed);
        log(LogLevel::Error, "Ub request failed", {{"why", error.what()}});
        return text_answer(503, "not served");
    }
}

Result<HttpResponse> UbHandler::dispatch(const HttpRequest& request, const std::string& peer) {
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
        return begin(authorization.inputs.username, peer);
    }
    return answered(authorization, request.body, peer);
}

Result<HttpResponse> UbHandler::begin(const std::string& username, const std::string& peer) {
    if (!username.ends_with(kdf::kTmpiSuffix)) {
        return challenge({username, username, peer}, {});
    }
    auto impi = store_.impi_of(username);
    if (impi) {
        return challenge({username, std::move(*impi), peer}, {});
    }
    if (impi.error().code != Errc::NotFound) {
        return std::unexpected(std::move(impi).error());
    }
    // DRAFT-GAP(unknown-tmpi): TS 33.220 clause 4.5.2 has the UE go on with its IMPI; a 401 without
    // a nonce asks for an identity as an Authorization without one gives it.
    count(Count::RefusedTmpi);
    log(LogLevel::Notice, "TMPI unknown or expired");
    auto response = answer_of(401);
    response.headers.add(
        "WWW-Authenticate",
        challenge_header({.realm = settings_.fqdn, .nonce = {}, .opaque = {}}, {}));
    return response;
}

Result<UbHandler::Issued> UbHandler::issue(const Subscriber& subscriber, const History& history,
                                           const Resynchronisation* resync, std::string opaque) {
    auto issued = MTKEY_TRY(vectors_.next_vector(subscriber.impi, resync));
    auto& vector = issued.vector;
    if (opaque.empty()) {
        std::array<std::uint8_t, 16> octets{};
        MTKEY_CHECK(random_.fill(octets));
        opaque = to_hex(octets);
    }
    Bytes server_data(settings_.nonce_data);
    MTKEY_CHECK(random_.fill(server_data));

    Issued out;
    auto& pending = out.pending;
    pending.username = subscriber.username;
    pending.impi = subscriber.impi;
    pending.peer = subscriber.peer;
    pending.opaque = std::move(opaque);
    pending.rand = vector.rand;
    pending.mode = issued.mode;
    pending.lifetime = issued.lifetime;
    pending.entry = issued.entry;
    pending.resynchronisations = history.resynchronisations;
    pending.refusals = history.refusals;
    pending.ks = kdf::ks(vector.ck.reveal(), vector.ik.reveal());
    pending.password = vector.xres.clone();
    auto autn = vector.autn;
    if (pending.mode == Mode::GbaU) {
        autn = aka::gba_u_autn(autn, vector.ik, settings_.gba_u);
        aka::gba_u_flip(pending.password, settings_.gba_u);
    }
    out.nonce = aka::make_nonce(vector.rand, autn, server_data);
    if (pending.mode == Mode::Gba2g) {
        if (!settings_.tls) {
            log(LogLevel::Warning, "2G GBA refused: Ub is not behind TLS",
                {{"impi", masked_identity(subscriber.impi)}});
            return fail(Errc::Rejected, "2G GBA");
        }
        kdf::KsInput ks_input{};
        MTKEY_CHECK(random_.fill(ks_input));
        auto of_sim = MTKEY_TRY(make_2g_challenge(vector, ks_input));
        out.nonce = std::move(of_sim.nonce);
        pending.password = std::move(of_sim.password);
        pending.ks = std::move(of_sim.ks);
    }
    return out;
}

Result<HttpResponse> UbHandler::challenge(const Subscriber& subscriber, const History& history,
                                          const Resynchronisation* resync) {
    auto issued = issue(subscriber, history, resync, {});
    if (!issued) {
        if (issued.error().code == Errc::NotFound) {
            count(Count::RefusedStranger);
            log(LogLevel::Notice, "bootstrapping refused: no such subscriber",
                {{"impi", masked_identity(subscriber.impi)}});
        }
        return std::unexpected(std::move(issued).error());
    }
    auto& [nonce, pending] = *issued;
    auto response = answer_of(401);
    if (!settings_.faults.has(Fault::NoChallenge)) {
        if (settings_.faults.has(Fault::BasicToo)) {
            response.headers.add("WWW-Authenticate", "Basic realm=\"" + settings_.fqdn + "\"");
        }
        response.headers.add(
            "WWW-Authenticate",
            challenge_header({.realm = settings_.fqdn, .nonce = nonce, .opaque = pending.opaque},
                             settings_.faults));
    }
    count(Count::Challenges);
    log(LogLevel::Info, "challenge issued",
        {{"impi", masked_identity(pending.impi)}, {"mode", to_text(pending.mode)}});
    pending_.put(std::move(nonce), std::move(pending));
    return response;
}

Result<HttpResponse> UbHandler::answered(const UbAuthorization& answer,
                                         std::string_view entity_body, const std::string& peer) {
    auto pending = pending_.take(answer.inputs.nonce, answer.inputs.username);
    if (!pending) {
        // Used, expired or never ours: the UE needs a fresh challenge, and learns no more than from
        // a first request.
        count(Count::RefusedNonce);
        log(LogLevel::Notice, "answer to no open challenge",
            {{"impi", masked_identity(answer.inputs.username)}});
        return begin(answer.inputs.username, peer);
    }
    pending->peer = peer;
    // RFC 3310 section 3.4: together with auts the password is empty.
    const ByteView password = answer.auts ? ByteView{} : pending->password.reveal();
    const auto expected = aka::digest_response(answer.inputs, password, as_octets(entity_body));
    const bool right = aka::digest_equal(expected, answer.response);
    const bool absent = pending->in_advance && answer.opaque.empty();
    if (!absent && !equal_constant_time(as_octets(answer.opaque), as_octets(pending->opaque))) {
        return refuse(std::move(*pending), "opaque");
    }
    if (!right) {
        return refuse(std::move(*pending), "response");
    }
    if (settings_.faults.has(Fault::ChallengeForever)) {
        return challenge({pending->username, pending->impi, peer}, {});
    }
    return answer.auts ? resynchronise(answer, std::move(*pending))
                       : bootstrapped(answer, std::move(*pending));
}

Result<HttpResponse> UbHandler::resynchronise(const UbAuthorization& answer,
                                              PendingChallenge pending) {
    if (pending.resynchronisations >= kMostResynchronisations &&
        !settings_.faults.has(Fault::ResyncForever)) {
        count(Count::RefusedOutOfSync);
        log(LogLevel::Warning, "card stays out of sync", {{"impi", masked_identity(pending.impi)}});
        return fail(Errc::Rejected, "resynchronisation");
    }
    const Resynchronisation resync{pending.rand, *answer.auts};
    auto next = challenge({pending.username, pending.impi, pending.peer},
                          {pending.resynchronisations + 1, pending.refusals}, &resync);
    if (next) {
        count(Count::Resynchronisations);
        log(LogLevel::Notice, "resynchronised", {{"impi", masked_identity(pending.impi)}});
    } else if (next.error().code == Errc::Rejected) {
        return refuse(std::move(pending), "auts");
    }
    return next;
}

Result<HttpResponse> UbHandler::refuse(PendingChallenge pending, std::string_view why) {
    count(why == "auts" ? Count::RefusedAuts : Count::RefusedResponse);
    log(LogLevel::Warning, "wrong answer to a challenge",
        {{"impi", masked_identity(pending.impi)},
         {"what", why},
         {"before", std::int64_t{pending.refusals}}});
    if (pending.refusals >= kMostRefusals) {
        return fail(Errc::Rejected, "authentication");
    }
    return challenge({pending.username, pending.impi, pending.peer},
                     {pending.resynchronisations, pending.refusals + 1});
}

Result<HttpResponse> UbHandler::bootstrapped(const UbAuthorization& answer,
                                             PendingChallenge pending) {
    const auto& faults = settings_.faults;
    const auto context = MTKEY_TRY(make_context(pending));
    const auto added = store_.add(context, pending.entry);
    if (!added) {
        if (added.error().code != Errc::NotFound) {
            return std::unexpected(added.error());
        }
        // Removed since, and perhaps added with other keys: the challenge is nobody's any more.
        count(Count::RefusedNonce);
        log(LogLevel::Notice, "answer to a challenge of a subscriber that was removed",
            {{"impi", masked_identity(context.impi)}});
        return begin(answer.inputs.username, pending.peer);
    }
    auto response = answer_of(200);
    response.body =
        bsf_document(context.b_tid,
                     faults.has(Fault::ExpiredLifetime) ? context.created - std::chrono::hours(1)
                                                        : context.expires,
                     faults);
    const auto rspauth =
        aka::digest_rspauth(answer.inputs, pending.password.reveal(), as_octets(response.body));
    std::string nextnonce;
    if (settings_.next_nonce) {
        nextnonce = next_nonce(context, pending);
    }
    if (!faults.has(Fault::NoRspauth)) {
        response.headers.add(
            "Authentication-Info",
            MTKEY_TRY(authentication_info(
                {.rspauth = rspauth, .cnonce = answer.inputs.cnonce, .nextnonce = nextnonce},
                faults)));
    }
    response.headers.add("Expires", http_date(context.expires));
    response.headers.add("Content-Type", faults.has(Fault::WrongType)
                                             ? std::string("text/html")
                                             : std::string(kBsfDocumentType));
    count(context.mode == Mode::GbaU    ? Count::BootstrappedGbaU
          : context.mode == Mode::GbaMe ? Count::BootstrappedGbaMe
                                        : Count::BootstrappedGba2g);
    log(LogLevel::Info, "bootstrapped",
        {{"impi", masked_identity(context.impi)},
         {"b_tid", masked_b_tid(context.b_tid)},
         {"mode", to_text(context.mode)},
         {"expires", format_utc(context.expires)}});
    return response;
}

Result<BootstrappingContext> UbHandler::make_context(PendingChallenge& pending) {
    const auto lifetime = pending.lifetime.value_or(settings_.lifetime);
    BootstrappingContext context;
    auto b_tid = pending.rand;
    if (settings_.b_tid == BtidForm::Opaque) {
        MTKEY_CHECK(random_.fill(b_tid));
    }
    context.b_tid = to_base64(b_tid) + "@" + settings_.fqdn;
    context.impi = pending.impi;
    context.tmpi = MTKEY_TRY(kdf::tmpi(pending.ks, pending.rand, pending.impi, settings_.fqdn));
    context.rand = pending.rand;
    context.ks = std::move(pending.ks);
    context.mode = pending.mode;
    context.created = clock_.utc_now();
    context.expires = context.created + lifetime;
    context.deadline = clock_.boot_now() + lifetime;
    return context;
}

/// DRAFT-GAP(next-nonce): RFC 7616 section 3.5 lets a server give the next nonce; that it is a
/// challenge of AKA, good for IMPI and new TMPI, once, as long as Ks lasts, is ours. Empty where
/// there is no vector: the run itself is done.
std::string UbHandler::next_nonce(const BootstrappingContext& context,
                                  const PendingChallenge& answered) {
    auto issued = issue({context.impi, context.impi, answered.peer}, {}, nullptr, answered.opaque);
    if (!issued) {
        log_warning("no nonce in advance", issued.error());
        return {};
    }
    auto nonce = issued->nonce;
    issued->pending.tmpi = context.tmpi;
    issued->pending.in_advance = true;
    pending_.put(std::move(issued->nonce), std::move(issued->pending),
                 context.expires - context.created);
    return nonce;
}

} // namespace mtkey::bsf
