// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gba/bootstrapping.hpp"
#include "gba/bsf_document.hpp"
#include "gba/ub.hpp"
#include "uicc/authenticate.hpp"

#include <optional>
#include <variant>

namespace mtkey::gba {

/// One bootstrapping from its first request to its Context. Owns what only the run needs: the
/// counters and which command the card is driven with. Used once.
class Run {
public:
    Run(uicc::CardChannel& card, HttpExchange& bsf, const Clock& clock, RandomSource& random,
        const RunSettings& settings, const RunEvents& events, UbMemory& memory)
        : card_(card),
          bsf_(bsf),
          clock_(clock),
          settings_(settings),
          events_(events),
          memory_(memory),
          ub_(bsf, clock, random, events, memory.tmpi.value_or(settings.impi),
              settings.tmpi != TmpiPolicy::Never) {}

    [[nodiscard]] Result<Context> execute();

private:
    /// The card's answer to a challenge that it has accepted.
    struct CardAnswer {
        Mode mode;
        SecretBytes res;
        std::optional<Secret<32>> ks; ///< unless it stays in the card (GBA_U)
    };
    using CardOutcome = std::variant<CardAnswer, uicc::SyncFailure>;

    [[nodiscard]] Result<void> choose_mode();
    /// The one that was kept, or one that the BSF is asked for.
    [[nodiscard]] Result<DigestChallenge> first_challenge();
    /// The BSF may have refused a TMPI that it does not know: true, once, and from now on the IMPI.
    [[nodiscard]] bool gives_up_tmpi(const Error& error);
    /// The command that belongs to card and challenge.
    [[nodiscard]] Result<CardOutcome> authenticate(const DigestChallenge& challenge);
    /// RUN GSM ALGORITHM of a SIM; gba_2g.cpp.
    [[nodiscard]] Result<void> check_2g() const;
    [[nodiscard]] Result<CardOutcome> authenticate_2g(const DigestChallenge& challenge);
    /// With the mode chosen and the fallback that the answer allows, on the same RAND and AUTN.
    [[nodiscard]] Result<CardOutcome> authenticate(const uicc::Challenge& challenge);
    [[nodiscard]] Result<CardOutcome> authenticate_once(const uicc::Challenge& challenge);
    [[nodiscard]] bool fall_back(const Error& error);
    [[nodiscard]] Result<DigestChallenge> resynchronise(const DigestChallenge& refused,
                                                        const uicc::SyncFailure& sync);
    [[nodiscard]] Result<Context> complete(const DigestChallenge& challenge, CardAnswer answer,
                                           const Ub::Accepted& accepted, BootTime asked_at);
    void remember(const DigestChallenge& answered, const Ub::Accepted& accepted,
                  const Context& context);
    [[nodiscard]] Result<std::string> derive_tmpi(const Context& context);
    [[nodiscard]] Result<void> set_lifetime(Context& context, const BsfDocument& document,
                                            BootTime asked_at) const;
    [[nodiscard]] Result<bool> write_gbabp(const Context& context, const BsfDocument& document);

    uicc::CardChannel& card_;
    HttpExchange& bsf_;
    const Clock& clock_;
    const RunSettings& settings_;
    const RunEvents& events_;
    UbMemory& memory_;
    Ub ub_;
    Mode mode_ = Mode::GbaMe;
    bool fell_back_ = false;
    bool gba_context_missing_ = false; ///< as this run has found it
    unsigned authenticates_ = 0;
};

} // namespace mtkey::gba
