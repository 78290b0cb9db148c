// SPDX-License-Identifier: Apache-2.0
#include "store/sealed_store.hpp"

#include <algorithm>
#include <new>

namespace mtkey::store {
namespace {

BootTime::duration until(UtcTime end, UtcTime now) {
    return std::max<BootTime::duration>(end - now, BootTime::duration(0));
}

} // namespace

Result<std::unique_ptr<SealedKeyStore>> SealedKeyStore::open(StorePlace place, StoreParts parts,
                                                             Keks keks, std::size_t limit) {
    try {
        std::unique_ptr<SealedKeyStore> store(new SealedKeyStore(std::move(parts), limit));
        if (!keks.current) {
            return store;
        }
        auto& own = store->parts_;
        store->file_ = MTKEY_TRY(
            StoreFile::open(std::move(place), own.files, own.random, own.boot_id, std::move(keks)));
        auto snapshot = store->file_->read();
        if (!snapshot && snapshot.error().code == Errc::StoreFailed) {
            return std::unexpected(std::move(snapshot).error());
        }
        if (!snapshot) {
            MTKEY_CHECK(store->distrust(std::move(snapshot).error()));
        } else if (*snapshot) {
            store->adopt(**std::move(snapshot));
            store->report_.vouched = store->file_->vouched();
        }
        if (!store->file_->writable()) {
            store->report_.kept_as = store->file_->former();
        }
        return store;
    } catch (const std::bad_alloc&) {
        return out_of_memory();
    }
}

/// Makes the records of a file those of this moment (threats C1). DRAFT-GAP(key-time).
void SealedKeyStore::adopt(Snapshot snapshot) {
    const auto utc = parts_.clock.utc_now();
    const auto boot = parts_.clock.boot_now();
    const bool same_boot = snapshot.boot_id == parts_.boot_id && boot >= snapshot.written_boot;
    // Written before this boot began: the clock must be ahead by as long as this boot has lasted.
    const auto since_boot = std::chrono::floor<std::chrono::seconds>(boot.time_since_epoch());
    const bool behind = !same_boot && utc < snapshot.high_water + since_boot;
    report_.time_unknown = behind;
    for (auto& record : snapshot.records) {
        record.key_id = parts_.key_id(record.ks_local_mt, record.th_est);
        if (same_boot) { // what this boot did not know before it knows no better now
            report_.time_unknown = report_.time_unknown || record.time_unknown;
            continue;
        }
        // How long the machine was off only UTC can say; less than no time it was not.
        auto left = std::max(record.deadline - snapshot.written_boot, BootTime::duration(0));
        if (!behind) {
            left = std::min(left, until(record.local_end, utc));
        }
        record.deadline = boot + left;
        record.time_unknown = behind;
    }
    snapshot_ = std::move(snapshot);
    recheck_time();
}

void SealedKeyStore::trust_time() {
    const auto utc = parts_.clock.utc_now();
    const auto boot = parts_.clock.boot_now();
    snapshot_.high_water = utc;
    report_.time_unknown = false;
    for (auto& record : snapshot_.records) {
        if (record.time_unknown) {
            record.deadline = std::min(record.deadline, boot + until(record.local_end, utc));
            record.time_unknown = false;
        }
    }
}

/// By the rule of adopt(): somebody may have set the clock right.
void SealedKeyStore::recheck_time() {
    const auto since_boot =
        std::chrono::floor<std::chrono::seconds>(parts_.clock.boot_now().time_since_epoch());
    if (report_.time_unknown && parts_.clock.utc_now() >= snapshot_.high_water + since_boot) {
        trust_time();
    }
}

void SealedKeyStore::close() {
    closed_ = true;
    snapshot_.records.clear();
}

void SealedKeyStore::stamp() {
    snapshot_.boot_id = parts_.boot_id;
    snapshot_.written = parts_.clock.utc_now();
    snapshot_.written_boot = parts_.clock.boot_now();
    if (!report_.time_unknown) { // else it is the mark of before this boot that tells
        snapshot_.high_water = std::max(snapshot_.high_water, snapshot_.written);
    }
}

Result<void> SealedKeyStore::commit() {
    if (closed_) {
        return fail(Errc::StoreFailed, "the key store is closed");
    }
    if (!file_) {
        return {};
    }
    stamp();
    return file_->write(snapshot_);
}

std::vector<KeyRecord>::iterator SealedKeyStore::place_of(const KeyRecord& record) {
    return std::ranges::lower_bound(snapshot_.records, record.slot(), {}, &KeyRecord::slot);
}

Result<void> SealedKeyStore::put(KeyRecord record) try {
    MTKEY_CHECK(check(record));
    auto& records = snapshot_.records;
    const auto at = place_of(record);
    if (at != records.end() && at->slot() == record.slot()) {
        std::swap(*at, record);
        auto done = commit();
        if (!done) {
            std::swap(*at, record);
        }
        return done;
    }
    if (records.size() >= limit_) {
        return full(limit_);
    }
    const auto added = records.insert(at, std::move(record));
    auto done = commit();
    if (!done) {
        records.erase(added);
    }
    return done;
} catch (const std::bad_alloc&) {
    return out_of_memory();
}

/// The record stays where it is, so that nothing is allocated: the pending one comes right behind.
Result<void> SealedKeyStore::confirm(KeyRecord record) try {
    MTKEY_CHECK(check(record));
    auto& records = snapshot_.records;
    const auto* pending = find_pending(record.device_id);
    if (pending == nullptr || record.pending()) {
        return fail(Errc::NotFound, "no pending key of " + record.device_id);
    }
    const auto second = records.begin() + (pending - records.data());
    const auto first = place_of(record);
    std::swap(*second, record);
    std::optional<KeyRecord> former;
    if (first != second) {
        former = std::exchange(*first, std::move(*second));
        records.erase(second);
    }
    auto done = commit();
    if (!done) {
        if (former) { // there is room: one was erased
            records.insert(std::next(first), std::move(record));
            *first = *std::move(former);
        } else {
            std::swap(*second, record);
        }
    }
    return done;
} catch (const std::bad_alloc&) {
    return out_of_memory();
}

Result<void> SealedKeyStore::end(std::span<const std::string> device_ids,
                                 std::vector<Tombstone> tombstones) {
    const auto going = [&](const KeyRecord& record) {
        return std::ranges::find(device_ids, record.device_id) != device_ids.end();
    };
    try {
        auto after = snapshot_.memory;
        after.tombstones = std::move(tombstones);
        return end_those(going, std::move(after));
    } catch (const std::bad_alloc&) { // nothing has changed yet
        revoke_those(going);
        return out_of_memory();
    }
}

Result<void> SealedKeyStore::erase(std::string_view device_id) try {
    if (find(device_id) == nullptr && find_pending(device_id) == nullptr) {
        return fail(Errc::NotFound, "no key of device " + std::string(device_id));
    }
    return erase_if([&](const KeyRecord& record) { return record.device_id == device_id; });
} catch (const std::bad_alloc&) { // by the text of the error
    return out_of_memory();
}

Result<void> SealedKeyStore::erase_if(const Going& going) try {
    return end_those(going, snapshot_.memory);
} catch (const std::bad_alloc&) { // nothing has changed yet
    revoke_those(going);
    return out_of_memory();
}

Result<void> SealedKeyStore::end_those(const Going& going, Memory after) {
    if (auto checked = check(after); !checked) {
        revoke_those(going);
        return checked;
    }
    auto& records = snapshot_.records;
    if (after == snapshot_.memory && std::ranges::none_of(records, going)) {
        return {};
    }
    std::vector<KeyRecord> gone;
    gone.reserve(records.size()); // from here on nothing is allocated but by commit()
    auto kept = records.begin();
    for (auto& record : records) {
        if (going(record)) {
            gone.push_back(std::move(record));
        } else {
            if (&*kept != &record) {
                *kept = std::move(record);
            }
            ++kept;
        }
    }
    records.erase(kept, records.end());
    std::swap(snapshot_.memory, after);
    auto done = commit();
    if (!done) {
        std::swap(snapshot_.memory, after);
        for (auto& record : gone) {
            records.push_back(std::move(record));
        }
        std::ranges::sort(records, {}, &KeyRecord::slot);
        revoke_those(going); // what was to end is not used again
    }
    return done;
}

void SealedKeyStore::revoke_those(const Going& going) {
    for (auto& record : snapshot_.records) {
        if (going(record) && !record.pending()) {
            record.state = KeyState::Revoked;
        }
    }
}

void SealedKeyStore::used(std::string_view device_id, UtcTime now) {
    const auto at =
        std::ranges::find(snapshot_.records, std::pair{device_id, false}, &KeyRecord::slot);
    if (at != snapshot_.records.end()) {
        at->last_used = now;
    }
}

const KeyRecord* SealedKeyStore::find(std::string_view device_id) const {
    return store::find(snapshot_.records, device_id);
}

const KeyRecord* SealedKeyStore::find_pending(std::string_view device_id) const {
    return store::find(snapshot_.records, device_id, true);
}

std::vector<const KeyRecord*> SealedKeyStore::all() const {
    return pointers(snapshot_.records);
}

Result<void> SealedKeyStore::remember(Memory memory) try {
    if (memory == snapshot_.memory) {
        return {};
    }
    MTKEY_CHECK(check(memory));
    std::swap(snapshot_.memory, memory);
    auto done = commit();
    if (!done) {
        std::swap(snapshot_.memory, memory);
    }
    return done;
} catch (const std::bad_alloc&) {
    return out_of_memory();
}

Result<void> SealedKeyStore::distrust(Error why) try {
    snapshot_.records.clear();
    snapshot_.memory = {};
    report_ = LoadReport{.distrusted = std::move(why), .kept_as = {}, .time_unknown = false};
    if (!file_ || !file_->writable()) {
        return {};
    }
    report_.kept_as = MTKEY_TRY(file_->set_aside());
    // An empty one of a newer generation takes its place. If it cannot, the next change says so.
    static_cast<void>(commit());
    return {};
} catch (const std::bad_alloc&) {
    return out_of_memory();
}

Result<void> SealedKeyStore::verify() const try {
    return file_ ? file_->verify() : Result<void>();
} catch (const std::bad_alloc&) {
    return out_of_memory();
}

Result<void> SealedKeyStore::rekey(const Kek& next) try {
    if (!file_) {
        return fail(Errc::NotReady, "the key store lives in memory; give it a key first");
    }
    stamp();
    return file_->rekey(next, snapshot_);
} catch (const std::bad_alloc&) {
    return out_of_memory();
}

} // namespace mtkey::store
