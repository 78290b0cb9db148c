// SPDX-License-Identifier: Apache-2.0
// What CardWork does with its GBA context: where it comes from besides a run, and how it ends.
#include "daemon/card_work.hpp"

#include "base/encoding.hpp"
#include "base/hash.hpp"
#include "gba/resume.hpp"
#include "uicc/gba_files.hpp"

#include <algorithm>

namespace mtkey::daemon {
namespace {

// local_protocol.md section 8: for procedures in flight.
constexpr std::chrono::seconds kFormer{120};

std::string iccid_hash(std::string_view iccid) {
    return to_hex(sha256({as_octets("mtkey iccid"), as_octets(iccid)}));
}

} // namespace

std::optional<keys::ContextFacts> CardWork::facts() const {
    if (!context_ || grace_) {
        return std::nullopt;
    }
    return keys::ContextFacts{.b_tid = context_->b_tid(),
                              .expires = context_->expires(),
                              .created = context_->created(),
                              .local_end = context_->local_end(),
                              .deadline = context_->deadline(),
                              .use_deadline = use_deadline_,
                              .network_ahead = context_->network_ahead()};
}

gba::Context* CardWork::context_of(const std::string& b_tid) {
    if (context_ && context_->b_tid() == b_tid) {
        return context_->valid(clock_) ? &*context_ : nullptr;
    }
    const bool former = former_ && former_->b_tid() == b_tid && clock_.boot_now() < former_until_ &&
                        former_->valid(clock_);
    return former ? &*former_ : nullptr;
}

std::vector<kdf::NafId> CardWork::naf_ids() const {
    keys::NafList list(config_.nafs);
    list.set_from_uicc(open_->application.naf_key_centers);
    std::vector<kdf::NafId> out;
    for (const auto& entry : list.entries()) {
        out.push_back(entry.naf_id);
    }
    return out;
}

/// The first time in this life that the card can be asked: is it as it was left? What it holds.
Result<std::optional<std::optional<uicc::Gbabp>>> CardWork::compare_anchor() {
    const auto& application = open_->application;
    const auto anchor = past_.get().anchor;
    if (anchor_compared_ || !anchor || anchor->uicc != open_->uicc || !application.gba ||
        application.gbabp_size == 0) {
        return std::nullopt;
    }
    auto gbabp = uicc::read_gbabp(*open_->card, application.entry.kind);
    if (!gbabp && ends_card(gbabp.error())) {
        return std::unexpected(gbabp.error());
    }
    if (!gbabp) { // the next time that it is opened
        log_warning("EF_GBABP cannot be compared with what is remembered", gbabp.error());
        return std::nullopt;
    }
    anchor_compared_ = true;
    contradicts_past_ =
        !*gbabp || (*gbabp)->rand != anchor->rand || (*gbabp)->b_tid != anchor->b_tid;
    const auto boot_id = past_.get().boot_id;
    agreed_in_this_boot_ = !boot_id.empty() && anchor->boot == boot_id;
    if (!contradicts_past_ && !agreed_in_this_boot_) {
        past_.change([](auto& past) {
            if (past.anchor) {
                past.anchor->boot = past.boot_id;
            }
        });
    }
    return *std::move(gbabp);
}

Result<void> CardWork::resume() {
    auto gbabp = MTKEY_TRY(compare_anchor());
    const auto& application = open_->application;
    if (!may_resume_ || context_ || contradicts_past_ || !application.gba ||
        application.gbabp_size == 0 || config_.gba.mode == gba::ModePolicy::MeOnly ||
        gba_context_missing()) {
        return {};
    }
    may_resume_ = false;
    const auto remembered = past_.get().context;
    if (!remembered && past_.origin() != PastKeeper::Origin::FirstStart) {
        return {}; // there was none, or nobody knows what time it is
    }
    if (remembered) {
        const auto now = clock_.boot_now();
        if (remembered->uicc != open_->uicc || now >= remembered->record.deadline ||
            now >= remembered->use_deadline) {
            forget_context();
            return {};
        }
        if (clock_.utc_now() >= remembered->record.local_end) {
            return {}; // not used; but a clock that is set deletes nothing
        }
    }
    gba::ResumeSettings how;
    how.impi = open_->impi;
    how.application = application.entry.kind;
    how.card_is_shared = open_->link->hold() != Hold::Card;
    how.nafs = naf_ids();
    how.gbabp = std::move(gbabp);
    if (remembered) {
        how.remembered = remembered->record;
    }
    auto resumed = gba::resume(*open_->card, clock_, how);
    if (!resumed && ends_card(resumed.error())) {
        return std::unexpected(resumed.error());
    }
    if (!resumed) { // no word on the context
        log_warning("no context resumed from the UICC", resumed.error());
        return {};
    }
    if (!*resumed) {
        forget_context();
        return {};
    }
    ++statistics_["contexts_resumed"];
    ++statistics_["naf_keys_derived"];
    log(LogLevel::Notice, "context resumed from the UICC",
        {{"b_tid", masked_b_tid((*resumed)->b_tid())},
         {"expires", format_utc((*resumed)->expires())}});
    adopt(**std::move(resumed),
          remembered ? remembered->use_deadline : clock_.boot_now() + keys::kLongestUse);
    return {};
}

void CardWork::adopt(gba::Context context, BootTime use_deadline) {
    context_ = std::move(context);
    use_deadline_ = use_deadline;
    anchor_compared_ = true; // what others do with the card from now on is no old copy's doing
    past_.change([this](auto& past) {
        past.context.reset();
        if (context_->mode() == gba::Mode::GbaU) {
            past.context = {open_->uicc, gba::record_of(*context_), use_deadline_};
        }
        if (context_->in_gbabp()) {
            past.anchor = {open_->uicc, context_->rand(), context_->b_tid(), past.boot_id};
        }
    });
}

void CardWork::retire_context() {
    context_->retire();
    former_ = std::move(context_);
    former_until_ = std::min(clock_.boot_now() + kFormer, former_->deadline());
    context_.reset();
    // Written with what comes of the run; until then RAND in EF_GBABP tells.
    past_.change([](auto& past) { past.context.reset(); }, PastKeeper::Write::WithTheNext);
}

void CardWork::forget_context() {
    context_.reset();
    if (past_.get().context) {
        past_.change([](auto& past) { past.context.reset(); });
    }
}

bool CardWork::gba_context_missing() const {
    const auto hashes = past_.get().without_gba;
    return std::ranges::find(hashes, iccid_hash(open_->application.iccid)) != hashes.end();
}

void CardWork::note_gba_context_missing() {
    past_.change([this](auto& past) {
        if (past.without_gba.size() >= keys::kMostWithoutGba) {
            past.without_gba.erase(past.without_gba.begin());
        }
        past.without_gba.push_back(iccid_hash(open_->application.iccid));
    });
}

} // namespace mtkey::daemon
