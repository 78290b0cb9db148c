// SPDX-License-Identifier: Apache-2.0
#include "store/key_store.hpp"

#include <algorithm>

namespace mtkey::store {

KeyRecord KeyRecord::clone() const {
    KeyRecord copy{.device_id = device_id,
                   .label = label,
                   .state = state,
                   .transport = transport,
                   .peer = peer,
                   .naf_fqdn = naf_fqdn,
                   .naf_ua = naf_ua,
                   .b_tid = b_tid,
                   .mode = mode,
                   .profile = profile,
                   .uicc = uicc,
                   .ks_local_mt = ks_local_mt.clone(),
                   .th_est = th_est,
                   .est_id = est_id,
                   .key_id = key_id.clone(),
                   .created = created,
                   .confirmed = confirmed,
                   .expires = expires,
                   .local_end = local_end,
                   .deadline = deadline,
                   .last_used = last_used,
                   .time_unknown = time_unknown};
    return copy;
}

bool KeyRecord::expired(const Clock& clock) const {
    return clock.utc_now() >= local_end || ended(clock);
}

const KeyRecord* find(std::span<const KeyRecord> records, std::string_view device_id,
                      bool pending) {
    const auto found = std::ranges::find(records, std::pair{device_id, pending}, &KeyRecord::slot);
    return found == records.end() ? nullptr : &*found;
}

std::vector<const KeyRecord*> pointers(std::span<const KeyRecord> records) {
    std::vector<const KeyRecord*> out;
    for (const auto& record : records) {
        out.push_back(&record);
    }
    return out;
}

std::unexpected<Error> full(std::size_t limit) {
    return fail(Errc::LimitExceeded, "key store holds " + std::to_string(limit) +
                                         " devices; forget one with mtkeyctl device forget");
}

Result<void> MemoryKeyStore::put(KeyRecord record) {
    const auto same = std::ranges::find(records_, record.slot(), &KeyRecord::slot);
    if (same != records_.end()) {
        *same = std::move(record);
        return {};
    }
    if (records_.size() >= limit_) {
        return full(limit_);
    }
    records_.push_back(std::move(record));
    return {};
}

Result<void> MemoryKeyStore::end(std::span<const std::string> device_ids,
                                 std::vector<Tombstone> tombstones) {
    std::erase_if(records_, [&](const KeyRecord& record) {
        return std::ranges::find(device_ids, record.device_id) != device_ids.end();
    });
    tombstones_ = std::move(tombstones);
    return {};
}

void MemoryKeyStore::used(std::string_view device_id, UtcTime now) {
    const auto found = std::ranges::find(records_, std::pair{device_id, false}, &KeyRecord::slot);
    if (found != records_.end()) {
        found->last_used = now;
    }
}

const KeyRecord* MemoryKeyStore::find(std::string_view device_id) const {
    return store::find(records_, device_id);
}

std::vector<const KeyRecord*> MemoryKeyStore::all() const {
    return pointers(records_);
}

} // namespace mtkey::store
