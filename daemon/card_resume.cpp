// SPDX-License-Identifier: Apache-2.0
// What EF_GBABP tells of an earlier life: an old copy of the store, or a context that goes on.
#include "daemon/card_work.hpp"

#include "base/encoding.hpp"
#include "base/hash.hpp"
#include "gba/resume.hpp"
#include "uicc/gba_files.hpp"

#include <algorithm>

namespace mtkey::daemon {
namespace {

std::string iccid_hash(std::string_view iccid) {
    return to_hex(sha256({as_octets("mtkey iccid"), as_octets(iccid)}));
}

} // namespace

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
    if (!may_resume_ || contexts_.present() != nullptr || contradicts_past_ || !application.gba ||
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
            contexts_.forget();
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
        contexts_.forget();
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
    anchor_compared_ = true; // what others do with the card from now on is no old copy's doing
    contexts_.adopt(std::move(context), open_->uicc, use_deadline);
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
