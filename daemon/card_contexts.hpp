// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "daemon/card_service.hpp"
#include "daemon/past_keeper.hpp"
#include "gba/bootstrapping.hpp"

#include <optional>
#include <string>

namespace mtkey::daemon {

/// The GBA contexts that came of one card, with their keys: the present one, and the one before it
/// for procedures that are under way. They go with the card; while it is out of reach for a moment
/// (design.md decision 6) the present one is kept and not used. The card worker's thread alone.
class CardContexts {
public:
    /// Borrows both.
    CardContexts(const Clock& clock, PastKeeper& past) : clock_(clock), past_(past) {}

    /// Null when there is none; it may be kept and not to be used.
    [[nodiscard]] const gba::Context* present() const { return context_ ? &*context_ : nullptr; }
    /// Of the present context; nothing while it is kept.
    [[nodiscard]] std::optional<keys::ContextFacts> facts() const;
    [[nodiscard]] std::optional<FormerContext> former() const;
    /// The present context or the former one; null when it is of neither, or over.
    [[nodiscard]] gba::Context* find(const std::string& b_tid);
    /// The former context has no Ks: what is derived already is all that it gives.
    [[nodiscard]] bool can_give(const gba::Context& context, const kdf::NafId& naf_id) const;

    /// Of the card `uicc`, and remembered.
    void adopt(gba::Context context, const std::string& uicc, BootTime use_deadline);
    /// A run takes the present context's place.
    void retire();
    /// The present context is not to be used any more, now or after a restart.
    void forget();
    void card_left(); ///< for good, unless it is kept
    /// This program ends: the card may hold the context for whoever starts next.
    void wipe();

    /// The card is out of reach, not for longer than `until`.
    void keep(BootTime until);
    [[nodiscard]] bool kept() const { return kept_.has_value(); }
    /// What the readers show meanwhile: a card that has been seen and is gone was taken out.
    void note_readers(bool any_reader, bool any_card);
    /// The system sleeps. Its memory may be written to a disk: Ks and NAF keys must not be in it;
    /// those of GBA_U the card has.
    void fall_asleep();
    void wake_up(BootTime until);
    /// This card is the one that was out of reach, in time; but for what it holds.
    [[nodiscard]] bool expects(const std::string& uicc) const;
    void settle(bool same);

    /// When something ends by itself.
    [[nodiscard]] std::optional<BootTime> next_end() const;
    /// True when the card has not come back in time.
    bool end_what_is_over();

private:
    struct Kept {
        BootTime until;
        bool card_seen = false; ///< since pcscd is back
    };
    void end_kept();

    const Clock& clock_;
    PastKeeper& past_;
    std::optional<gba::Context> context_;
    std::string uicc_;                   ///< that context_ is of
    BootTime use_deadline_{};            ///< of context_
    std::optional<gba::Context> former_; ///< without its Ks
    BootTime former_until_{};
    std::optional<Kept> kept_; ///< context_, if it is
};

} // namespace mtkey::daemon
