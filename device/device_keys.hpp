// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "device/stored_key.hpp"
#include "store/sealed_store.hpp"

#include <memory>
#include <string>
#include <vector>

namespace mtkey::device {

inline constexpr std::size_t kMostMts = 32;

/// Where the keys are, and the key that seals them.
struct KeyPlace {
    std::string state_dir; ///< exists; holds the sealed store
    /// In a tmpfs, exists: old copies of the store are noticed within one boot. Empty: they are
    /// not.
    std::string runtime_dir;
    std::string store_key_file; ///< empty: the credential alone
    /// $CREDENTIALS_DIRECTORY, in which "mtkey-device.store-key" comes before the key file.
    std::string credentials_directory;
};

/// What the system gives a program to keep its keys with.
struct SystemParts {
    FileOps files;
    SystemClock clock;
    SystemRandom random;
    [[nodiscard]] Result<store::StoreParts> parts();
};

/// The external device's keys in the sealed store (docs/store.md): at most one active and one
/// pending key per MT, each filed under the mt-id, which the device lets one operator give alone
/// (DeviceProcedure). A change is on the disk when the call returns,
/// or has not happened.
class DeviceKeys {
public:
    /// `parts` without the key id. Access::Change keeps other programs out while this
    /// object lives (InProgress) and makes the key file where there is neither a key nor a store;
    /// Access::Read changes nothing. A store whose key is missing is an error and stays as it is
    /// (ConfigInvalid).
    static Result<DeviceKeys> open(const KeyPlace& place, store::StoreParts parts,
                                   store::Access access);

    [[nodiscard]] std::vector<const StoredKey*> all() const; ///< the newest first
    [[nodiscard]] const StoredKey* find_active(std::string_view mt_id) const {
        return store_->find(mt_id);
    }
    [[nodiscard]] const StoredKey* find_pending(std::string_view mt_id) const {
        return store_->find_pending(mt_id);
    }

    /// In the place of an older pending key of the same MT; the active one stays.
    [[nodiscard]] Result<void> add_pending(StoredKey key);
    /// The pending key of this MT becomes its active one, in the place of an older one. `expires`:
    /// as agreed, in the network's time and not after the pending key's; both clocks follow.
    [[nodiscard]] Result<void> confirm(const std::string& mt_id, UtcTime expires);
    [[nodiscard]] Result<void> remove_active(std::string_view mt_id);
    [[nodiscard]] Result<void> remove_pending(std::string_view mt_id);
    /// Those that ended by the clock that nobody sets: UTC may be set right again.
    [[nodiscard]] Result<void> remove_ended();
    /// All keys of this MT, or of all; the number of them.
    [[nodiscard]] Result<std::size_t> forget(std::string_view mt_id);
    /// Before the program ends: how late it is, which a clock that was set back is known by. A
    /// failure is said in the log.
    void note_time();

    [[nodiscard]] const store::LoadReport& report() const { return store_->report(); }
    /// "credential", "file"; "none": there is neither a key nor a store yet.
    [[nodiscard]] const std::string& key_origin() const { return key_origin_; }

private:
    DeviceKeys(std::unique_ptr<store::SealedKeyStore> store, const Clock& clock,
               std::string key_origin)
        : store_(std::move(store)), clock_(&clock), key_origin_(std::move(key_origin)) {}
    [[nodiscard]] Result<void> remove(std::string_view mt_id, bool pending);

    std::unique_ptr<store::SealedKeyStore> store_;
    const Clock* clock_;
    std::string key_origin_;
};

} // namespace mtkey::device
