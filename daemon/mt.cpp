// SPDX-License-Identifier: Apache-2.0
#include "daemon/mt.hpp"

#include <algorithm>
#include <utility>

namespace mtkey::daemon {
namespace {
// Devices that are shown although no rule names them: they must not fill our memory (threats L10).
constexpr std::size_t kMostStrangers = 32;
// So near to the network's time the clock here counts as right.
constexpr std::chrono::minutes kSameTime{5};

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
        auto& seen = seen_[rule.device_id];
        seen.by_rule = true;
        seen.approved = rule.allow;
    }
    for (const auto& tombstone : store.tombstones()) {
        tombstones_.add(tombstone.device_id, tombstone.b_tid);
    }
    end_what_no_rule_allows();
    arm();
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
    auto found = seen_.find(device_id);
    if (found == seen_.end()) {
        make_room_for_a_stranger();
        found = seen_.try_emplace(device_id).first;
    } else if (found->second.approved && !allowed) {
        return false; // anybody can say that he is an approved one, where no rule allows it
    }
    Seen& seen = found->second;
    seen.approved = allowed;
    seen.last_seen = clock_.utc_now();
    seen.transport = transport;
    seen.meeting = ++meetings_;
    if (!seen.presence) {
        seen.presence = std::make_shared<char>();
    }
    changed(device_id);
    return allowed;
}

std::shared_ptr<const void> Mt::presence(const std::string& device_id) const {
    const auto found = seen_.find(device_id);
    return found == seen_.end() ? nullptr : found->second.presence;
}

/// Names that somebody makes up must not hide the device that a person is about to approve.
void Mt::make_room_for_a_stranger() {
    const auto rank = [](const Seen& seen) { // those that are connected go last, then the newest
        return std::pair(seen.presence.use_count() > 1, seen.meeting);
    };
    std::size_t strangers = 0;
    auto first_to_go = seen_.end();
    for (auto it = seen_.begin(); it != seen_.end(); ++it) {
        if (it->second.by_rule) {
            continue;
        }
        ++strangers;
        if (first_to_go == seen_.end() || rank(it->second) < rank(first_to_go->second)) {
            first_to_go = it;
        }
    }
    if (strangers >= kMostStrangers) {
        const std::string device_id = first_to_go->first;
        seen_.erase(first_to_go);
        tell(device_id);
    }
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

void Mt::tell(const std::string& device_id) {
    const auto now = device(device_id);
    const auto known = told_.find(device_id);
    if (known == told_.end() ? !now : now == known->second) {
        return;
    }
    if (now) {
        told_.insert_or_assign(device_id, *now);
    } else {
        told_.erase(known);
    }
    if (events_.device_changed) {
        events_.device_changed(device_id);
    }
}

void Mt::changed(const std::string& device_id) {
    tell(device_id);
    arm();
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
        for (const auto& device_id : pending_.erase_other_uicc(state.uicc)) {
            tell(device_id);
        }
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

} // namespace mtkey::daemon
