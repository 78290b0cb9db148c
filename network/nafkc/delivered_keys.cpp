// SPDX-License-Identifier: Apache-2.0
#include "network/nafkc/delivered_keys.hpp"

#include <algorithm>

namespace mtkey::nafkc {

void DeliveredKeys::put(const Name& name, Entry entry) {
    entry.deadline = clock_.boot_now() + (entry.expires - clock_.utc_now());
    const std::lock_guard lock(mutex_);
    if (entries_.size() >= kLimit && !entries_.contains(name)) {
        purge_locked();
    }
    if (entries_.size() >= kLimit && !entries_.contains(name)) {
        entries_.erase(std::ranges::min_element(
            entries_, {}, [](const auto& pair) { return pair.second.expires; }));
    }
    entries_.insert_or_assign(name, std::move(entry));
}

std::optional<DeliveredKeys::Entry> DeliveredKeys::find(const Name& name) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
        return std::nullopt;
    }
    if (ended(found->second)) {
        entries_.erase(found);
        return std::nullopt;
    }
    const auto& entry = found->second;
    return Entry{entry.ks_local_mt.clone(), entry.expires, entry.mt_id, entry.deadline};
}

void DeliveredKeys::purge() {
    const std::lock_guard lock(mutex_);
    purge_locked();
}

std::size_t DeliveredKeys::size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

bool DeliveredKeys::ended(const Entry& entry) const {
    return entry.expires <= clock_.utc_now() || entry.deadline <= clock_.boot_now();
}

void DeliveredKeys::purge_locked() {
    std::erase_if(entries_, [this](const auto& pair) { return ended(pair.second); });
}

} // namespace mtkey::nafkc
