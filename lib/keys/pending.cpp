// SPDX-License-Identifier: Apache-2.0
#include "keys/pending.hpp"

#include <algorithm>

namespace mtkey::keys {

void PendingTable::put(Pending pending) {
    erase_device(pending.device_id);
    if (pending_.size() >= kMost) {
        pending_.erase(pending_.begin());
    }
    pending_.push_back(std::move(pending));
}

Pending* PendingTable::find(const EstId& est_id, BootTime now) {
    expire(now);
    const auto found = std::ranges::find(pending_, est_id, &Pending::est_id);
    return found == pending_.end() ? nullptr : &*found;
}

const Pending* PendingTable::find_device(std::string_view device_id, BootTime now) const {
    const auto found = std::ranges::find(pending_, device_id, &Pending::device_id);
    return found == pending_.end() || now >= found->ends ? nullptr : &*found;
}

void PendingTable::erase(const EstId& est_id) {
    std::erase_if(pending_, [&](const Pending& p) { return p.est_id == est_id; });
}

void PendingTable::erase_device(std::string_view device_id) {
    std::erase_if(pending_, [&](const Pending& p) { return p.device_id == device_id; });
}

template <typename Predicate>
std::vector<std::string> PendingTable::erase_where(Predicate goes) {
    std::vector<std::string> devices;
    for (const auto& pending : pending_) {
        if (goes(pending)) {
            devices.push_back(pending.device_id);
        }
    }
    std::erase_if(pending_, goes);
    return devices;
}

std::vector<std::string> PendingTable::erase_other_uicc(std::string_view uicc) {
    return erase_where([&](const Pending& p) { return p.uicc != uicc; });
}

std::vector<std::string> PendingTable::expire(BootTime now) {
    return erase_where([&](const Pending& p) { return now >= p.ends; });
}

std::optional<BootTime> PendingTable::next_end() const {
    const auto first = std::ranges::min_element(pending_, {}, &Pending::ends);
    return first == pending_.end() ? std::nullopt : std::optional(first->ends);
}

void Tombstones::add(std::string_view device_id, std::string_view b_tid) {
    if (contains(device_id, b_tid)) {
        return;
    }
    const bool full = entries_.size() >= kMost;
    if (full) { // those of one device say nothing any more
        std::erase_if(entries_, [&](const Entry& entry) { return entry.b_tid == b_tid; });
    }
    entries_.push_back(Entry{full ? std::string() : std::string(device_id), std::string(b_tid)});
}

bool Tombstones::contains(std::string_view device_id, std::string_view b_tid) const {
    return std::ranges::any_of(entries_, [&](const Entry& entry) {
        return entry.b_tid == b_tid && (entry.device_id.empty() || entry.device_id == device_id);
    });
}

void Tombstones::keep_only(std::string_view b_tid, std::string_view former) {
    std::erase_if(entries_, [&](const Entry& entry) {
        return entry.b_tid != b_tid && entry.b_tid != former;
    });
}

} // namespace mtkey::keys
