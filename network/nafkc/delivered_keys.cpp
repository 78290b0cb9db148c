// SPDX-License-Identifier: Apache-2.0
#include "network/nafkc/delivered_keys.hpp"

#include <algorithm>

namespace mtkey::nafkc {

void DeliveredKeys::put(const Name& name, Entry entry, UtcTime now) {
    const std::lock_guard lock(mutex_);
    if (entries_.size() >= kLimit && !entries_.contains(name)) {
        purge_locked(now);
    }
    if (entries_.size() >= kLimit && !entries_.contains(name)) {
        entries_.erase(std::ranges::min_element(
            entries_, {}, [](const auto& pair) { return pair.second.expires; }));
    }
    entries_.insert_or_assign(name, std::move(entry));
}

std::optional<DeliveredKeys::Entry> DeliveredKeys::find(const Name& name, UtcTime now) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
        return std::nullopt;
    }
    if (found->second.expires <= now) {
        entries_.erase(found);
        return std::nullopt;
    }
    return Entry{found->second.ks_local_mt.clone(), found->second.expires, found->second.mt_id};
}

void DeliveredKeys::purge(UtcTime now) {
    const std::lock_guard lock(mutex_);
    purge_locked(now);
}

std::size_t DeliveredKeys::size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

void DeliveredKeys::purge_locked(UtcTime now) {
    std::erase_if(entries_, [now](const auto& pair) { return pair.second.expires <= now; });
}

} // namespace mtkey::nafkc
