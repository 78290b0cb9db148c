// SPDX-License-Identifier: Apache-2.0
#include "gba/run.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "gba/gba_2g.hpp"
#include "uicc/gba_files.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace mtkey::gba {
namespace {

constexpr std::size_t kShortRes = 8;

std::string status_word(const Error& error) {
    Bytes octets;
    append_u16(octets, error.detail & 0xFFFF);
    return to_hex(octets);
}

} // namespace

Result<void> Run::choose_mode() {
    if (settings_.application == uicc::DirEntry::Kind::Sim) {
        mode_ = Mode::Gba2g;
        return check_2g();
    }
    switch (settings_.policy) {
    case ModePolicy::RequireUicc:
        if (!settings_.card_has_gba) {
            return fail(Errc::NotSupportedByCard,
                        "gba.mode = require-uicc, and the UICC has no GBA");
        }
        mode_ = Mode::GbaU;
        break;
    case ModePolicy::PreferUicc:
        mode_ = settings_.card_has_gba && !settings_.gba_context_missing ? Mode::GbaU : Mode::GbaMe;
        break;
    case ModePolicy::MeOnly:
        mode_ = Mode::GbaMe;
        break;
    }
    if (mode_ == Mode::GbaMe) {
        log(LogLevel::Notice, "GBA_ME: CK and IK leave the UICC",
            {{"card_has_gba", settings_.card_has_gba ? "yes" : "no"}});
    }
    return {};
}

Result<Run::CardOutcome> Run::authenticate_once(const uicc::Challenge& challenge) {
    // A replayed challenge of an ordinary AKA would make this card give away CK and IK. Asked here,
    // when the challenge is there: before the first exchange nobody is authenticated.
    if (mode_ == Mode::GbaMe && settings_.card_has_gba && !bsf_.authenticated()) {
        return fail(Errc::ConfigInvalid, "3G context on a UICC with GBA needs a BSF behind TLS");
    }
    ++authenticates_;
    if (mode_ == Mode::GbaU) {
        if (events_.before_bootstrapping_command) {
            MTKEY_CHECK(events_.before_bootstrapping_command(mode_));
        }
        auto outcome = MTKEY_TRY(uicc::gba_bootstrap(card_, challenge));
        if (const auto* sync = std::get_if<uicc::SyncFailure>(&outcome)) {
            return *sync;
        }
        return CardAnswer{mode_, std::move(std::get<uicc::Bootstrapped>(outcome).res),
                          std::nullopt};
    }
    auto outcome = MTKEY_TRY(uicc::authenticate_3g(card_, challenge));
    if (const auto* sync = std::get_if<uicc::SyncFailure>(&outcome)) {
        return *sync;
    }
    // CK and IK end here, with `outcome`.
    auto& keys = std::get<uicc::AkaKeys>(outcome);
    return CardAnswer{mode_, std::move(keys.res), kdf::ks(keys.ck.reveal(), keys.ik.reveal())};
}

/// Whether the other command may be tried with the same RAND and AUTN. In each of these cases the
/// card has refused before it accepted SQN, so nothing is consumed.
// DRAFT-GAP(mode-fallback): BSF and ME each decide about GBA_U by themselves; what to do when they
// differ is not specified.
bool Run::fall_back(const Error& error) {
    if (fell_back_) {
        return false;
    }
    if (mode_ == Mode::GbaU) {
        if (settings_.policy == ModePolicy::RequireUicc) {
            return false;
        }
        if (error.code == Errc::NotSupportedByCard) {
            log(LogLevel::Warning, "the UICC lists GBA and has no GBA context: GBA_ME instead",
                {{"status_word", status_word(error)}});
            gba_context_missing_ = true;
        } else if (error.code == Errc::MacFailure && settings_.allow_downgrade &&
                   bsf_.authenticated()) {
            log(LogLevel::Warning,
                "MAC failure in GBA_U: downgrade to GBA_ME (gba.allow_downgrade)");
        } else {
            return false;
        }
        mode_ = Mode::GbaMe;
    } else {
        if (error.code != Errc::MacFailure || !settings_.card_has_gba) {
            return false;
        }
        log(LogLevel::Notice, "MAC failure in GBA_ME on a UICC with GBA: GBA_U instead");
        mode_ = Mode::GbaU;
    }
    fell_back_ = true;
    return true;
}

/// Two challenges (one resynchronisation) and one fallback are three commands at most; without TLS,
/// where each is an answer to whoever sent the challenge, no fallback gets as far as the card, and
/// two are all (design.md decision 3).
Result<Run::CardOutcome> Run::authenticate(const uicc::Challenge& challenge) {
    auto outcome = authenticate_once(challenge);
    if (outcome || !fall_back(outcome.error())) {
        return outcome;
    }
    auto second = authenticate_once(challenge);
    if (!second && second.error().code == Errc::NotSupportedByCard) {
        return outcome; // that there is no other command does not explain the first refusal
    }
    return second;
}

Result<Run::CardOutcome> Run::authenticate(const DigestChallenge& challenge) {
    if (mode_ == Mode::Gba2g) {
        return authenticate_2g(challenge);
    }
    if (parse_2g_nonce(challenge.nonce)) { // AUTN is sixteen zeros: no HSS makes such
        return fail(Errc::BsfBadAnswer, "a 2G challenge, and the card is no SIM");
    }
    return authenticate(challenge.aka);
}

Result<DigestChallenge> Run::first_challenge() {
    if (memory_.next_challenge && settings_.use_next_nonce && mode_ != Mode::Gba2g) {
        // Nothing is risked for a BSF that is not there, and behind TLS it is known who it is.
        MTKEY_CHECK(ub_.connect());
        return *std::exchange(memory_.next_challenge, std::nullopt);
    }
    auto challenge = ub_.ask();
    return challenge || !gives_up_tmpi(challenge.error()) ? challenge : ub_.ask();
}

// DRAFT-GAP(unknown-tmpi): how a BSF says that it does not know a TMPI. Ours answers 401 without
// RAND and AUTN; whatever else is no challenge is taken for the same, once.
bool Run::gives_up_tmpi(const Error& error) {
    if (!memory_.tmpi || (error.code != Errc::BsfRejected && error.code != Errc::BsfBadAnswer)) {
        return false;
    }
    log(LogLevel::Notice, "the BSF does not take the TMPI: with the IMPI again");
    memory_.tmpi.reset();
    ub_.identify_as(settings_.impi);
    return true;
}

Result<DigestChallenge> Run::resynchronise(const DigestChallenge& refused,
                                           const uicc::SyncFailure& sync) {
    log(LogLevel::Notice, "the UICC is out of sync with the network: resynchronisation");
    return ub_.resynchronise(refused, sync.auts);
}

/// Validity is counted from the BSF's own time where it tells it, so that a wrong clock here does
/// not matter, and from before the request, so that a slow answer shortens it.
Result<void> Run::set_lifetime(Context& context, const BsfDocument& document,
                               BootTime asked_at) const {
    const UtcTime now = clock_.utc_now();
    const UtcTime reference = document.current_time.value_or(now);
    if (document.lifetime <= reference) {
        return fail(Errc::BsfBadAnswer, "lifetime is not in the future");
    }
    const auto validity = std::min(document.lifetime - reference, settings_.lifetime_cap);
    context.created_ = now;
    context.expires_ = reference + validity;
    context.local_end_ = now + validity;
    context.deadline_ = asked_at + validity;
    if (document.current_time && settings_.require_rspauth) {
        context.network_ahead_ = *document.current_time - now;
    }
    return {};
}

/// TS 33.220 clause 5.3.2: the ME completes what the card began with RAND. Where there is no room
/// for it, the bootstrapping lives in memory and ends with this program. A card that refuses the
/// write has the new RAND beside the old B-TID, or half of ours: no such B-TID is handed out
/// (threats U8).
// DRAFT-GAP(gbabp-update): what becomes of a bootstrapping whose B-TID the card does not take.
// DRAFT-GAP(gbabp-lifetime): TS 31.102 does not say how a lifetime is written: the text of
// <lifetime>.
Result<bool> Run::write_gbabp(const Context& context, const BsfDocument& document) {
    if (settings_.gbabp_size == 0) {
        log(LogLevel::Notice, "no EF_GBABP: the bootstrapping is kept in memory only");
        return false;
    }
    if (!uicc::fits_gbabp(settings_.gbabp_size, document.b_tid, document.lifetime_text)) {
        log(LogLevel::Warning, "B-TID and lifetime do not fit into EF_GBABP: kept in memory only",
            {{"size", std::to_string(settings_.gbabp_size)}});
        return false;
    }
    MTKEY_CHECK(context.require_own_rand(card_));
    auto written = uicc::update_gbabp(card_, settings_.application, settings_.gbabp_size,
                                      document.b_tid, document.lifetime_text);
    if (!written && written.error().code == Errc::NotFound) {
        log_warning("the bootstrapping is kept in memory only", written.error());
        return false;
    }
    MTKEY_CHECK(written);
    return true;
}

Result<std::string> Run::derive_tmpi(const Context& context) {
    if (context.ks_) {
        return kdf::tmpi(*context.ks_, context.rand_, context.impi_, bsf_.fqdn());
    }
    const auto bsf_id = MTKEY_TRY(kdf::bsf_id(bsf_.fqdn()));
    return kdf::tmpi(MTKEY_TRY(context.derive_on_card(card_, bsf_id.octets())));
}

/// For the next run. The bootstrapping is good without it.
void Run::remember(const DigestChallenge& answered, const Ub::Accepted& accepted,
                   const Context& context) {
    memory_.tmpi.reset();
    memory_.next_challenge.reset();
    if (accepted.knows_tmpi &&
        (settings_.tmpi == TmpiPolicy::Always ||
         (settings_.tmpi == TmpiPolicy::Auto && context.mode_ != Mode::GbaU))) {
        if (auto tmpi = derive_tmpi(context)) {
            memory_.tmpi = *std::move(tmpi);
        } else {
            log_warning("no TMPI", tmpi.error());
        }
    }
    if (accepted.next_nonce && context.mode_ != Mode::Gba2g) {
        if (auto next = accept_next_nonce(*accepted.next_nonce, answered)) {
            memory_.next_challenge = *std::move(next);
        } else {
            log_warning("nextnonce is left aside", next.error());
        }
    }
}

Result<Context> Run::complete(const DigestChallenge& challenge, CardAnswer answer,
                              const Ub::Accepted& accepted, BootTime asked_at) {
    const auto document = MTKEY_TRY(parse_bsf_document(as_octets(accepted.body)));
    Context context;
    MTKEY_CHECK(set_lifetime(context, document, asked_at));
    context.mode_ = answer.mode;
    context.b_tid_ = document.b_tid;
    context.impi_ = settings_.impi;
    context.rand_ = challenge.aka.rand;
    context.application_ = settings_.application;
    context.watch_rand_ = settings_.card_is_shared && settings_.gbabp_size > 0;
    if (answer.mode == Mode::GbaU) {
        context.in_gbabp_ = MTKEY_TRY(write_gbabp(context, document));
    }
    context.ks_ = std::move(answer.ks);
    context.counts_ = {.http_exchanges = ub_.exchanges(),
                       .bootstrapping_authenticates = authenticates_};
    remember(challenge, accepted, context);
    return context;
}

Result<Context> Run::execute() {
    if (settings_.impi.empty() || settings_.lifetime_cap <= std::chrono::seconds(0)) {
        return fail(Errc::InvalidArgument, "a run needs an IMPI and a lifetime cap");
    }
    MTKEY_CHECK(choose_mode());
    auto challenge = MTKEY_TRY(first_challenge());
    for (bool second = false;; second = true) {
        auto tried = authenticate(challenge);
        if (!tried && challenge.kept && tried.error().code == Errc::MacFailure) {
            // Nothing has vouched for it: somebody may have altered it on the way.
            log(LogLevel::Notice, "the UICC does not believe the challenge that was announced");
            challenge = MTKEY_TRY(ub_.ask());
            continue;
        }
        auto outcome = MTKEY_TRY(std::move(tried));
        DigestChallenge next;
        if (const auto* sync = std::get_if<uicc::SyncFailure>(&outcome)) {
            if (second) {
                return fail(Errc::SyncFailure, "out of sync with the second challenge as well");
            }
            next = MTKEY_TRY(resynchronise(challenge, *sync));
        } else {
            auto& answer = std::get<CardAnswer>(outcome);
            if (gba_context_missing_ && events_.card_without_gba) {
                events_.card_without_gba();
            }
            if (answer.res.size() < kShortRes && !bsf_.authenticated()) {
                log(LogLevel::Warning,
                    "RES is short enough to be found from one captured answer: use TLS");
            }
            const BootTime asked_at = clock_.boot_now();
            auto answered = ub_.answer(challenge, answer.res, settings_.require_rspauth);
            if (!answered && challenge.kept && gives_up_tmpi(answered.error())) {
                next = MTKEY_TRY(ub_.ask());
            } else if (!answered) {
                return std::unexpected(std::move(answered).error());
            } else if (const auto* accepted = std::get_if<Ub::Accepted>(&*answered)) {
                return complete(challenge, std::move(answer), *accepted, asked_at);
            } else {
                log(LogLevel::Notice, "the challenge that the BSF had announced is stale");
                next = std::move(std::get<DigestChallenge>(*answered));
            }
        }
        if (next.aka == challenge.aka) {
            return fail(Errc::BsfBadAnswer, "the challenge that has just been answered, again");
        }
        challenge = std::move(next);
    }
}

Result<Context> bootstrap(uicc::CardChannel& card, HttpExchange& bsf, const Clock& clock,
                          RandomSource& random, const RunSettings& settings,
                          const RunEvents& events, UbMemory* memory) {
    UbMemory none;
    UbMemory& kept = memory == nullptr ? none : *memory;
    if (kept.bsf_fqdn != bsf.fqdn() || kept.impi != settings.impi) {
        kept = {std::string(bsf.fqdn()), settings.impi, std::nullopt, std::nullopt};
    }
    try {
        auto context = Run(card, bsf, clock, random, settings, events, kept).execute();
        if (!context && context.error().code == Errc::BsfRejected) {
            kept.tmpi.reset(); // perhaps for its sake: the next run shows the IMPI
        }
        return context;
    } catch (const std::bad_alloc&) { // the secure heap has an end
        return fail(Errc::LimitExceeded, "no memory for a bootstrapping");
    }
}

} // namespace mtkey::gba
