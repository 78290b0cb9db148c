// SPDX-License-Identifier: Apache-2.0
#include "daemon/card_contexts.hpp"

#include "base/log.hpp"
#include "gba/resume.hpp"

#include <algorithm>

namespace mtkey::daemon {
namespace {

// local_protocol.md section 8: for procedures in flight.
constexpr std::chrono::seconds kFormer{120};

} // namespace

std::optional<keys::ContextFacts> CardContexts::facts() const {
    if (!context_ || kept_) {
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

std::optional<FormerContext> CardContexts::former() const {
    return former_ ? std::optional(FormerContext{former_->b_tid(), former_until_}) : std::nullopt;
}

gba::Context* CardContexts::find(const std::string& b_tid) {
    if (context_ && context_->b_tid() == b_tid) {
        return context_->valid(clock_) ? &*context_ : nullptr;
    }
    const bool former = former_ && former_->b_tid() == b_tid && clock_.boot_now() < former_until_ &&
                        former_->valid(clock_);
    return former ? &*former_ : nullptr;
}

bool CardContexts::can_give(const gba::Context& context, const kdf::NafId& naf_id) const {
    return !former_ || &context != &*former_ || context.has_cached(naf_id);
}

void CardContexts::adopt(gba::Context context, const std::string& uicc, BootTime use_deadline) {
    context_ = std::move(context);
    uicc_ = uicc;
    use_deadline_ = use_deadline;
    past_.change([this](auto& past) {
        past.context.reset();
        if (context_->mode() == gba::Mode::GbaU) {
            past.context = {uicc_, gba::record_of(*context_), use_deadline_};
        }
        if (context_->in_gbabp()) {
            past.anchor = {uicc_, context_->rand(), context_->b_tid(), past.boot_id};
        }
    });
}

void CardContexts::retire() {
    if (!context_) {
        return;
    }
    context_->retire();
    former_ = std::move(context_);
    former_until_ = std::min(clock_.boot_now() + kFormer, former_->deadline());
    context_.reset();
    // Written with what comes of the run; until then RAND in EF_GBABP tells.
    past_.change([](auto& past) { past.context.reset(); }, PastKeeper::Write::WithTheNext);
}

void CardContexts::forget() {
    kept_.reset();
    context_.reset();
    if (past_.get().context) {
        past_.change([](auto& past) { past.context.reset(); });
    }
}

void CardContexts::card_left() {
    // Ks, Ks_(ext)_NAF and B-TID go with the card (design.md decision 6).
    former_.reset();
    if (!kept_ && context_) {
        forget();
    }
}

void CardContexts::wipe() {
    kept_.reset();
    context_.reset();
    former_.reset();
}

void CardContexts::keep(BootTime until) {
    if (!kept_ && context_) {
        kept_ = Kept{until};
    }
}

void CardContexts::end_kept() {
    forget();
    log(LogLevel::Notice, "the UICC is not back in time: its keys are wiped");
}

void CardContexts::note_readers(bool any_reader, bool any_card) {
    if (!kept_) {
        return;
    }
    // A reader that is gone may come back with its card in it.
    if (kept_->card_seen && !any_card && any_reader) {
        end_kept();
    } else {
        kept_->card_seen = kept_->card_seen || any_card;
    }
}

void CardContexts::fall_asleep() {
    // The card loses its power meanwhile, and another one may be there afterwards.
    if (context_ && context_->mode() != gba::Mode::GbaU) {
        forget();
    } else if (context_) {
        context_->forget_naf_keys();
    }
    keep(BootTime::max());
    if (kept_) {
        kept_->until = BootTime::max();
        kept_->card_seen = true;
    }
}

void CardContexts::wake_up(BootTime until) {
    if (kept_) {
        kept_->until = until;
        kept_->card_seen = false;
    }
}

bool CardContexts::expects(const std::string& uicc) const {
    return kept_ && uicc_ == uicc && clock_.boot_now() < kept_->until;
}

void CardContexts::settle(bool same) {
    if (!same) {
        forget();
    }
    kept_.reset();
    log(LogLevel::Notice, "UICC again after it was out of reach",
        {{"keys", same ? "kept" : "wiped"}});
}

std::optional<BootTime> CardContexts::next_end() const {
    std::optional<BootTime> next;
    if (kept_) {
        next = kept_->until;
    }
    if (former_) {
        next = next ? std::min(*next, former_until_) : former_until_;
    }
    return next;
}

bool CardContexts::end_what_is_over() {
    const auto now = clock_.boot_now();
    if (former_ && now >= former_until_) {
        former_.reset();
    }
    if (!kept_ || now < kept_->until) {
        return false;
    }
    end_kept();
    return true;
}

} // namespace mtkey::daemon
