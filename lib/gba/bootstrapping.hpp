// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/http_message.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "gba/ub_memory.hpp"
#include "kdf/naf_keys.hpp"
#include "uicc/card_channel.hpp"
#include "uicc/directory.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace mtkey::gba {

enum class Mode { GbaU, GbaMe, Gba2g };
std::string_view to_text(Mode mode); ///< "gba-u", "gba-me", "gba-2g"

enum class ModePolicy { PreferUicc, RequireUicc, MeOnly };

/// Whether a bootstrapping leaves a TMPI to the next one. With GBA_U it costs one more
/// AUTHENTICATE(DE), and a record of EF_GBANL: Auto does without there.
enum class TmpiPolicy { Auto, Always, Never };

/// What a run needs to know about the subscriber, its card and the policy.
struct RunSettings {
    std::string impi; ///< Digest username and KDF input
    /// The application that is selected: which EF_GBABP is its.
    uicc::DirEntry::Kind application = uicc::DirEntry::Kind::Usim;
    bool card_has_gba = false; ///< USIM service 68, ISIM service 2
    /// card_without_gba was said of this ICCID before: begin with P2 81. What a card with service
    /// 68 must not be given without TLS stays the same.
    bool gba_context_missing = false;
    std::size_t gbabp_size = 0; ///< 0 = no EF_GBABP to write
    /// Somebody else may bootstrap with this card: RAND in EF_GBABP, where there is one, is read
    /// before it is written to and before and after each NAF derivation.
    bool card_is_shared = false;
    ModePolicy policy = ModePolicy::PreferUicc;
    bool allow_downgrade =
        false; ///< 98 62 on DD may be retried with P2 81 behind an authenticated BSF
    /// Application `Sim`: 2G GBA (TS 33.220 annex I), with a BSF behind TLS and no other.
    bool allow_2g = false;
    bool require_rspauth = true;
    TmpiPolicy tmpi = TmpiPolicy::Auto;
    /// Begin with the challenge that the last answer of the BSF has announced, if it did: one HTTP
    /// exchange where a run has two.
    // DRAFT-GAP(next-nonce): TS 24.109 does not speak of it; RFC 7616 section 3.5 wants a client to
    // use it.
    bool use_next_nonce = true;
    std::chrono::seconds lifetime_cap = std::chrono::hours(24 * 7); ///< longer ones are clamped
};

/// Where the run stands; for steps, statistics and progress.
struct RunEvents {
    /// Before each AUTHENTICATE(DD), and never in GBA_ME: from now on the card's former Ks and the
    /// RAND in EF_GBABP may be gone, whatever becomes of the run or of the answer.
    std::function<Result<void>(Mode)> before_bootstrapping_command;
    /// The card lists the GBA service, has no GBA context, and has answered the same challenge in
    /// the 3G context: remember it for this ICCID.
    std::function<void()> card_without_gba;
    /// The BSF has said with a 503 or 429 when to come again (Retry-After); 0 to
    /// kLongestRetryAfter.
    std::function<void(std::chrono::seconds)> retry_after;
};

struct RunCounts {
    unsigned http_exchanges = 0;
    unsigned bootstrapping_authenticates = 0;
};

/// The result of one GBA run, for one UICC application. Owns Ks unless the mode is GBA_U, and the
/// Ks_(ext)_NAF cache. GBA_U: Ks is in the card; each NAF key costs one AUTHENTICATE(DE), once.
class Context {
public:
    [[nodiscard]] Mode mode() const { return mode_; }
    [[nodiscard]] const std::string& b_tid() const { return b_tid_; }
    [[nodiscard]] const std::string& impi() const { return impi_; }
    [[nodiscard]] const kdf::Rand& rand() const { return rand_; }
    /// In the BSF's time: what other parties can compare with what they were told.
    [[nodiscard]] UtcTime expires() const { return expires_; }
    /// By the clock here.
    [[nodiscard]] UtcTime created() const { return created_; }
    /// The moment of expires() by the clock here, which may differ from the BSF's.
    [[nodiscard]] UtcTime local_end() const { return local_end_; }
    /// By how much the BSF's clock is ahead of ours, where it has told and proved it; not resumed.
    [[nodiscard]] std::optional<std::chrono::seconds> network_ahead() const {
        return network_ahead_;
    }
    /// RAND and B-TID stand in EF_GBABP.
    [[nodiscard]] bool in_gbabp() const { return in_gbabp_; }
    /// End by CLOCK_BOOTTIME.
    [[nodiscard]] BootTime deadline() const { return deadline_; }
    /// Both clocks must say so (threats C1).
    [[nodiscard]] bool valid(const Clock& clock) const;
    /// Until the nearer end of both clocks, at least 0.
    [[nodiscard]] std::chrono::milliseconds left(const Clock& clock) const;
    [[nodiscard]] const RunCounts& counts() const { return counts_; }

    void forget_naf_keys() { naf_keys_.clear(); }
    /// Another bootstrapping has taken its place: Ks is wiped, and no key is derived any more.
    void retire();
    [[nodiscard]] bool has_cached(const kdf::NafId& naf_id) const;
    /// Ks_(ext)_NAF, from the cache or derived (TS 33.220 clauses 4.5.3, 5.3.3). `card` may be
    /// null: then only the cache and a Ks of ours can serve (NotReady otherwise, and when retired).
    /// LimitExceeded when the secure heap is full, BtidStale when the card has bootstrapped with
    /// somebody else meanwhile. Borrowed until the next call.
    [[nodiscard]] Result<const Secret<32>*> ks_naf(uicc::CardChannel* card,
                                                   const kdf::NafId& naf_id);

private:
    friend class Run;
    friend class Resumption;
    Context() = default;
    [[nodiscard]] Result<void> require_own_rand(uicc::CardChannel& card) const;
    [[nodiscard]] Result<Secret<32>> derive_on_card(uicc::CardChannel& card, ByteView naf_id) const;
    Mode mode_ = Mode::GbaMe;
    std::string b_tid_;
    std::string impi_;
    kdf::Rand rand_{};
    UtcTime created_{};
    UtcTime expires_{};
    UtcTime local_end_{}; ///< the same moment by the clock here, which may differ from the BSF's
    BootTime deadline_{};
    std::optional<std::chrono::seconds> network_ahead_;
    uicc::DirEntry::Kind application_ = uicc::DirEntry::Kind::Usim;
    bool watch_rand_ = false; ///< RunSettings::card_is_shared, and there is an EF_GBABP
    bool in_gbabp_ = false;
    bool retired_ = false;
    std::optional<Secret<32>> ks_;
    std::map<Bytes, Secret<32>> naf_keys_; ///< by NAF_ID octets
    RunCounts counts_;
};

/// A complete bootstrapping: Ub, AUTHENTICATE, Ub, rspauth, bsf+xml, EF_GBABP (TS 33.220
/// clauses 4.5.2, 5.3.2 and annex I; TS 24.109 clause 4, annexes A and H). Blocks in `card` and
/// `bsf`. The USIM or ISIM, or DF_GSM of a SIM, must be selected and its PIN verified. Nothing is
/// returned, and nothing written to the card, before rspauth has been verified. Errors: those of
/// uicc::gba_bootstrap, BsfUnreachable, BsfRejected (403, 401 again), BsfUntrusted (rspauth),
/// BsfBadAnswer (challenge or document), SyncFailure (twice out of sync), MacFailure, BtidStale
/// (the card has bootstrapped with somebody else meanwhile), ConfigInvalid (3G context, a UICC with
/// GBA and no TLS; a SIM and no TLS, or not allowed).
///
/// There are two challenges at most: one that was kept or asked for, and one behind a
/// resynchronisation or in place of a kept one that is stale; a SIM gets one. `memory`: what the
/// last run of this application has left, and then what this one leaves; null = nothing.
[[nodiscard]] Result<Context> bootstrap(uicc::CardChannel& card, HttpExchange& bsf,
                                        const Clock& clock, RandomSource& random,
                                        const RunSettings& settings, const RunEvents& events = {},
                                        UbMemory* memory = nullptr);

} // namespace mtkey::gba
