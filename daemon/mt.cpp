// SPDX-License-Identifier: Apache-2.0
#include "daemon/mt.hpp"

#include <algorithm>
#include <set>

namespace mtkey::daemon {
namespace {
// Devices that are shown without having a key: strangers must not fill our memory (threats L10).
constexpr std::size_t kMostSeen = 512;
constexpr std::size_t kMostStrangers = 32;
// A store that cannot be written is tried again after this time.
constexpr std::chrono::minutes kEndAgain{1};
// So is the network for its time.
constexpr std::chrono::minutes kAskTimeAgain{5};
// So near to the network's time the clock here counts as right.
constexpr std::chrono::minutes kSameTime{5};

std::vector<store::Tombstone> for_store(const keys::Tombstones& tombstones) {
    std::vector<store::Tombstone> out;
    for (const auto& entry : tombstones.all()) {
        out.push_back({.device_id = entry.device_id, .b_tid = entry.b_tid});
    }
    return out;
}
} // namespace

std::string_view to_text(CardState::State state) {
    switch (state) {
    case CardState::State::NoReader:
    case CardState::State::NoCard:
        return "absent";
    case CardState::State::Mute:
        return "mute";
    case CardState::State::Busy:
        return "busy-elsewhere";
    case CardState::State::PinRequired:
        return "pin-required";
    case CardState::State::PinBlocked:
        return "pin-blocked";
    case CardState::State::Ready:
        return "ready";
    case CardState::State::Failed:
        return "failed";
    }
    return "failed";
}

Mt::Mt(Reactor& reactor, const Config& config, const Clock& clock, RandomSource& random,
       CardService& card, store::KeyStore& store)
    : config_(config),
      clock_(clock),
      random_(random),
      card_(card),
      store_(store),
      nafs_(config.nafs),
      sweep_timer_(reactor.timer()) {
    for (const auto& rule : config.devices) {
        seen_[rule.device_id].approved = rule.allow;
    }
    for (const auto& tombstone : store.tombstones()) {
        tombstones_.add(tombstone.device_id, tombstone.b_tid);
    }
    end_what_no_rule_allows();
    arm();
}

/// Of the daemon's last life: the rules may be others now.
void Mt::end_what_no_rule_allows() {
    std::vector<std::string> ended;
    for (const auto* record : store_.all()) {
        if (!approved(config_.devices, record->device_id, record->transport, record->peer)) {
            ended.push_back(record->device_id);
        }
    }
    if (!ended.empty()) {
        static_cast<void>(end_keys(ended, "no rule allows the device"));
    }
}

std::optional<keys::ContextFacts> Mt::context() const {
    if (card_.state().state != CardState::State::Ready) {
        return std::nullopt;
    }
    const auto& facts = card_.state().context;
    return facts && keys::alive(*facts, clock_) ? facts : std::nullopt;
}

bool Mt::tombstoned(std::string_view device_id) const {
    const auto facts = context();
    return facts && tombstones_.contains(device_id, facts->b_tid);
}

bool Mt::meet(const std::string& device_id, const std::string& transport, const std::string& peer) {
    const bool allowed = approved(config_.devices, device_id, transport, peer);
    if (!seen_.contains(device_id)) {
        const auto strangers =
            std::ranges::count_if(seen_, [](const auto& entry) { return !entry.second.approved; });
        if (seen_.size() >= kMostSeen ||
            (!allowed && strangers >= std::ptrdiff_t{kMostStrangers})) {
            return allowed;
        }
    }
    seen_[device_id] = Seen{allowed, clock_.utc_now(), transport};
    changed(device_id);
    return allowed;
}

DeviceView Mt::view(const std::string& device_id, const Seen& seen) const {
    DeviceView out{.device_id = device_id,
                   .approved = seen.approved,
                   .key_state = "none",
                   .naf = {},
                   .expires = {},
                   .last_seen = seen.last_seen,
                   .transport = seen.transport};
    if (const auto* record = store_.find(device_id)) {
        const bool present =
            card_.state().uicc == record->uicc && card_.state().state == CardState::State::Ready;
        out.key_state = record->ended(clock_)                       ? "expired"
                        : record->state == store::KeyState::Revoked ? "revoked"
                        : present && record->usable(clock_)         ? "established"
                                                                    : "suspended";
        out.naf = record->naf_fqdn;
        out.expires = record->expires;
    } else if (const auto* waiting = pending_.find_device(device_id, clock_.boot_now())) {
        out.key_state = "pending";
        out.naf = waiting->naf_id.fqdn;
        out.expires = waiting->ks_expires;
    }
    return out;
}

std::vector<DeviceView> Mt::devices() const {
    std::vector<DeviceView> out;
    for (const auto& [device_id, seen] : seen_) {
        out.push_back(view(device_id, seen));
    }
    return out;
}

std::optional<DeviceView> Mt::device(const std::string& device_id) const {
    const auto found = seen_.find(device_id);
    if (found == seen_.end()) {
        return std::nullopt;
    }
    return view(device_id, found->second);
}

Result<void> Mt::forget(const std::string& device_id) {
    const bool has_key = store_.find(device_id) != nullptr ||
                         pending_.find_device(device_id, clock_.boot_now()) != nullptr;
    if (!seen_.contains(device_id) && !has_key) {
        return fail(Errc::UnknownDevice, device_id);
    }
    // Also without a key: one may be on its way.
    if (const auto facts = context()) {
        tombstones_.add(device_id, facts->b_tid);
    }
    if (const auto& former = card_.state().former) {
        tombstones_.add(device_id, former->b_tid);
    }
    return end_keys({device_id}, "forgotten");
}

Result<void> Mt::forget_all() {
    std::set<std::string> all;
    for (const auto* record : store_.all()) {
        all.insert(record->device_id);
    }
    for (const auto& [device_id, seen] : seen_) { // some have a pending key
        all.insert(device_id);
    }
    // Also what is on its way.
    if (const auto facts = context()) {
        tombstones_.add("", facts->b_tid);
    }
    if (const auto& former = card_.state().former) {
        tombstones_.add("", former->b_tid);
    }
    return end_keys({all.begin(), all.end()}, "all are forgotten");
}

void Mt::store_emptied() {
    for (const auto& [device_id, seen] : seen_) {
        tell(device_id);
    }
    if (events_.store_quarantined) {
        events_.store_quarantined();
    }
    arm();
}

/// With a tombstone for each: what ends is not derived again. Where these do not outlive the
/// daemon, their contexts must not either.
Result<void> Mt::end_keys(const std::vector<std::string>& device_ids, const char* why) {
    for (const auto& device_id : device_ids) {
        if (const auto* waiting = pending_.find_device(device_id, clock_.boot_now())) {
            tombstones_.add(device_id, waiting->b_tid);
            pending_.erase_device(device_id);
        }
        if (const auto* record = store_.find(device_id)) {
            tombstones_.add(device_id, record->b_tid);
            log(LogLevel::Notice, "key ended", {{"device", device_id}, {"why", why}});
        }
    }
    auto done = store_.end(device_ids, for_store(tombstones_));
    end_failed_ = !done;
    if (!done) {
        end_again_ = clock_.boot_now() + kEndAgain;
        log_error("keys that have ended cannot be deleted now and are not used any more",
                  done.error());
    }
    if (!done || !store_.persistent()) {
        for (const auto& tombstone : tombstones_.all()) {
            card_.keep_from_resuming(tombstone.b_tid);
        }
    }
    for (const auto& device_id : device_ids) {
        tell(device_id);
    }
    arm();
    return done;
}

void Mt::tell(const std::string& device_id) {
    const auto now = device(device_id);
    if (!now) {
        return;
    }
    const auto [known, added] = told_.try_emplace(device_id, *now);
    if (!added && known->second == *now) {
        return;
    }
    known->second = *now;
    if (events_.device_changed) {
        events_.device_changed(device_id);
    }
}

void Mt::changed(const std::string& device_id) {
    tell(device_id);
    arm();
}

/// To be deleted: now, or as soon as the store can be written again.
bool Mt::gone(const store::KeyRecord& record) const {
    return record.state == store::KeyState::Revoked || record.ended(clock_);
}

std::optional<BootTime> Mt::next_end() const {
    auto next = pending_.next_end();
    const auto boot = clock_.boot_now();
    const auto utc = clock_.utc_now();
    // The UTC end ends nothing, but it shows; it is turned into a distance each time that something
    // changes.
    const auto consider = [&](UtcTime local_end, BootTime deadline) {
        const auto shows = utc < local_end ? boot + (local_end - utc) : deadline;
        const auto end = std::min(deadline, BootTime(shows));
        next = next ? std::min(*next, end) : end;
    };
    for (const auto* record : store_.all()) {
        if (!gone(*record)) {
            consider(record->local_end, record->deadline);
        } else if (!end_failed_) {
            consider(UtcTime{}, boot);
        }
    }
    if (end_failed_) {
        consider(UtcTime{}, end_again_);
    }
    if (!time_asked_ && ask_time_again_ > boot) {
        consider(UtcTime{}, ask_time_again_);
    }
    const auto& facts = card_.state().context;
    if (facts && facts->b_tid != ended_b_tid_) {
        consider(facts->local_end, facts->deadline);
    }
    return next;
}

void Mt::arm() {
    if (const auto next = next_end()) {
        sweep_timer_->at(*next, [this] { sweep(); });
    } else {
        sweep_timer_->cancel();
    }
}

void Mt::sweep() {
    store_.recheck_time();
    for (const auto& device_id : pending_.expire(clock_.boot_now())) {
        tell(device_id);
    }
    const bool again = end_failed_ && clock_.boot_now() >= end_again_;
    std::vector<std::string> ended;
    std::vector<std::string> shown;
    for (const auto* record : store_.all()) {
        auto& list = gone(*record) && (again || !end_failed_) ? ended : shown;
        list.push_back(record->device_id);
    }
    if (!ended.empty() || again) {
        static_cast<void>(end_keys(ended, again ? "had ended before" : "its time is over"));
    }
    for (const auto& device_id : shown) {
        tell(device_id);
    }
    const auto& facts = card_.state().context;
    if (facts && facts->b_tid != ended_b_tid_ && keys::ended(*facts, clock_)) {
        ended_b_tid_ = facts->b_tid;
        log(LogLevel::Notice, "Ks ended", {{"b_tid", masked_b_tid(ended_b_tid_)}});
        card_.discard(ended_b_tid_, [](const Result<void>&) {}); // or it is gone already
    }
    if (events_.card_changed) { // by UTC the context may have ended, or be back
        events_.card_changed();
    }
    arm();
    learn_time();
}

Statistics Mt::statistics() const {
    Statistics out = card_.statistics();
    for (const char* name : {"establishments_full", "establishments_optimised", "keys_confirmed",
                             "keys_resumed", "devices_refused"}) {
        out[name] = 0;
    }
    for (const auto& [name, value] : statistics_) {
        out[name] = value;
    }
    return out;
}

void Mt::card_changed() {
    const auto& state = card_.state();
    nafs_.set_from_uicc(state.naf_key_centers);
    if (state.context && state.context->b_tid != last_b_tid_) {
        last_b_tid_ = state.context->b_tid;
        tombstones_.keep_only(last_b_tid_, state.former ? state.former->b_tid : std::string());
        if (const auto ahead = state.context->network_ahead;
            ahead && std::chrono::abs(*ahead) <= kSameTime) {
            store_.trust_time();
        }
    }
    if (!state.uicc.empty()) {
        // Another identity: keys of the old one are deleted. The same one: they come back by
        // themselves.
        pending_.erase_other_uicc(state.uicc);
        std::vector<std::string> foreign;
        for (const auto* record : store_.all()) {
            if (record->uicc != state.uicc && !(gone(*record) && end_failed_)) {
                foreign.push_back(record->device_id);
            }
        }
        if (!foreign.empty()) {
            static_cast<void>(end_keys(foreign, "another UICC"));
        }
    }
    for (const auto* record : store_.all()) {
        tell(record->device_id);
    }
    if (events_.card_changed) {
        events_.card_changed();
    }
    arm();
    learn_time();
}

/// While nobody knows the time, stored keys wait: one bootstrapping lets the network tell it.
void Mt::learn_time() {
    const bool waiting = std::ranges::any_of(
        store_.all(), [](const store::KeyRecord* record) { return record->time_unknown; });
    if (!waiting || time_asked_ || clock_.boot_now() < ask_time_again_ ||
        card_.state().state != CardState::State::Ready) {
        return;
    }
    time_asked_ = true;
    log(LogLevel::Notice, "the time is not known: bootstrapping to learn it from the network");
    card_.bootstrap({.force = true}, [this](const Result<void>& done) {
        if (!done) {
            log_warning("stored keys go on waiting", done.error());
            time_asked_ = false;
            ask_time_again_ = clock_.boot_now() + kAskTimeAgain;
            arm();
        }
    });
}

} // namespace mtkey::daemon
