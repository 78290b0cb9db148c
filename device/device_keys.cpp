// SPDX-License-Identifier: Apache-2.0
#include "device/device_keys.hpp"

#include "base/directory.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <tuple>

namespace mtkey::device {
namespace {

const std::string kStoreId = "mtkey-device";
const std::string kCredential = "mtkey-device.store-key";

/// The keys that open the store. Where there is neither one nor a store, and `make` allows, a key
/// file is made.
Result<store::Keks> find_keks(const KeyPlace& place, const store::StoreParts& parts, bool make) {
    const store::KekSource source{.credentials_directory = place.credentials_directory,
                                  .credential = kCredential,
                                  .key_file = place.store_key_file};
    auto keks = MTKEY_TRY(store::load_keks(source));
    if (keks.origin == "credential" && !keks.next && !place.store_key_file.empty()) {
        // Begun with the key file, by hand: the store is under that one still.
        auto former = MTKEY_TRY(store::load_keks(
            {.credentials_directory = {}, .credential = {}, .key_file = place.store_key_file}));
        keks.next = std::move(former.current);
    }
    const auto directory = MTKEY_TRY(Directory::open(parts.files, place.state_dir, Trust::Config));
    const bool has_store = MTKEY_TRY(directory.has(store::kStoreFile));
    if (has_store || !make || keks.origin == "credential") {
        if (has_store && !keks.current) {
            return fail(Errc::ConfigInvalid,
                        "the key store " + place.state_dir + "/" + store::kStoreFile +
                            " is there, its key " +
                            (place.store_key_file.empty() ? "" : place.store_key_file + " or ") +
                            "credential " + kCredential +
                            " is not; bring the key back, or remove the store");
        }
        return keks;
    }
    if (place.store_key_file.empty()) {
        return fail(Errc::ConfigInvalid, "the key store has no key: no credential " + kCredential +
                                             ", and no store_key_file is set");
    }
    if (MTKEY_TRY(store::make_kek(place.store_key_file, parts.files, parts.random))) {
        log(LogLevel::Notice, "made a key for the key store", {{"file", place.store_key_file}});
    }
    return store::load_keks(source);
}

} // namespace

Result<store::StoreParts> SystemParts::parts() {
    return store::StoreParts{.files = files,
                             .clock = clock,
                             .random = random,
                             .boot_id = MTKEY_TRY(system_boot_id()),
                             .key_id = {}};
}

Result<DeviceKeys> DeviceKeys::open(const KeyPlace& place, store::StoreParts parts,
                                    store::Access access) {
    parts.key_id = [](const Secret<32>& ks_local_mt, const kdf::TranscriptHash& th_est) {
        return kdf::establishment_keys(ks_local_mt, th_est).key_id;
    };
    const bool change = access == store::Access::Change;
    auto keks = MTKEY_TRY(find_keks(place, parts, change));
    const Clock& clock = parts.clock;
    const std::string origin = keks.origin;
    store::StorePlace files{.directory = place.state_dir,
                            .runtime_directory = place.runtime_dir,
                            .store_id = kStoreId,
                            .layouts = store::kLayouts,
                            .access = access};
    DeviceKeys out(MTKEY_TRY(store::SealedKeyStore::open(std::move(files), std::move(parts),
                                                         std::move(keks), 2 * kMostMts)),
                   clock, origin);
    if (const auto& why = out.report().distrusted; why && change) {
        log_warning("the key store was set aside as " + out.report().kept_as, *why);
    }
    return out;
}

std::vector<const StoredKey*> DeviceKeys::all() const {
    auto keys = store_->all();
    std::ranges::sort(keys, [](const StoredKey* a, const StoredKey* b) {
        return std::tuple(b->confirmed, a->slot()) < std::tuple(a->confirmed, b->slot());
    });
    return keys;
}

Result<void> DeviceKeys::add_pending(StoredKey key) {
    const auto& mt_id = mt_id_of(key);
    std::size_t others = 0;
    std::string_view last;
    for (const auto* one : store_->all()) { // those of one MT stand together
        others += mt_id_of(*one) != mt_id && mt_id_of(*one) != last ? 1 : 0;
        last = mt_id_of(*one);
    }
    if (others >= kMostMts) {
        return fail(Errc::LimitExceeded, "the key store holds the keys of " +
                                             std::to_string(kMostMts) + " MTs; forget one");
    }
    key.state = store::KeyState::Pending;
    key.key_id = establishment_keys_of(key).key_id;
    return store_->put(std::move(key));
}

Result<void> DeviceKeys::confirm(const std::string& mt_id, UtcTime expires) {
    const StoredKey* pending = find_pending(mt_id);
    if (pending == nullptr) {
        return fail(Errc::NoKey, "no pending key for this MT");
    }
    StoredKey key = pending->clone();
    key.state = store::KeyState::Confirmed;
    key.confirmed = key.last_used = clock_->utc_now();
    // Agreed in the network's time, counted in ours. What has ended may have done so before both
    // clocks began.
    const auto earlier = key.expires - std::min(expires, key.expires);
    key.expires -= earlier;
    key.local_end = std::max(key.local_end - earlier, UtcTime());
    key.deadline = std::max(key.deadline - earlier, BootTime());
    return store_->confirm(std::move(key));
}

Result<void> DeviceKeys::remove(std::string_view mt_id, bool pending) {
    return store_->erase_if(
        [slot = std::pair(mt_id, pending)](const StoredKey& key) { return key.slot() == slot; });
}

Result<void> DeviceKeys::remove_active(std::string_view mt_id) {
    return remove(mt_id, false);
}

Result<void> DeviceKeys::remove_pending(std::string_view mt_id) {
    return remove(mt_id, true);
}

Result<void> DeviceKeys::remove_ended() {
    return store_->erase_if([this](const StoredKey& key) { return key.ended(*clock_); });
}

Result<std::size_t> DeviceKeys::forget(std::string_view mt_id) {
    const auto before = store_->all().size();
    MTKEY_CHECK(store_->erase_if(
        [&](const StoredKey& key) { return mt_id.empty() || mt_id_of(key) == mt_id; }));
    return before - store_->all().size();
}

void DeviceKeys::note_time() {
    // A clock that is behind is nothing to note: written in this boot, the keys would wait until
    // the next one, though the time may be right in a moment.
    if (store_->all().empty() || report().time_unknown) {
        return;
    }
    if (const auto noted = store_->note_time(); !noted) {
        log_warning("the time was not noted", noted.error());
    }
}

} // namespace mtkey::device
