// SPDX-License-Identifier: Apache-2.0
// How keys end: forgotten by somebody, by a rule, by another UICC, or by time.
#include "daemon/mt.hpp"

#include <algorithm>
#include <set>

namespace mtkey::daemon {
namespace {
// A store that cannot be written is tried again after this time.
constexpr std::chrono::minutes kEndAgain{1};
// So is the network for its time.
constexpr std::chrono::minutes kAskTimeAgain{5};

std::vector<store::Tombstone> for_store(const keys::Tombstones& tombstones) {
    std::vector<store::Tombstone> out;
    for (const auto& entry : tombstones.all()) {
        out.push_back({.device_id = entry.device_id, .b_tid = entry.b_tid});
    }
    return out;
}
} // namespace

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
            if (record->state != store::KeyState::Revoked) { // else it has been said
                log(LogLevel::Notice, "key ended", {{"device", device_id}, {"why", why}});
            }
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
