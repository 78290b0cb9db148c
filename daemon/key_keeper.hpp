// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/memory_file.hpp"
#include "keys/bootstrap_memory.hpp"
#include "store/sealed_store.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace mtkey::daemon {

struct Config;

/// How the daemon keeps its keys, for people and D-Bus. No key is in it.
struct StoreInfo {
    bool persistent = false; ///< false: in memory only, they end with the daemon
    std::string key_origin;  ///< of the key encryption key: "credential", "file", "none"
    bool next_key = false;   ///< a key that rekey() would go over to is there
    std::string file;        ///< "" when not persistent
    std::size_t keys = 0;
    std::uint64_t generation = 0;
    bool time_unknown = false;       ///< keys of an earlier boot wait for the time to be known
    std::optional<Error> distrusted; ///< why what was found was set aside
    std::string kept_as;             ///< its new name
};

/// The sealed store as the daemon has it: its keys and tombstones, and what is remembered of
/// bootstrappings. As KeyStore it belongs to the reactor's thread; as BootstrapMemory it may be
/// used by any. Without a key encryption key the keys live in memory, and the bootstrappings, of
/// which no secret is remembered, in a file of their own.
class KeyKeeper final : public store::KeyStore, public keys::BootstrapMemory {
public:
    /// Reads key and store. ConfigInvalid, NotAuthorized: the key is there and cannot be used;
    /// StoreFailed, InProgress.
    [[nodiscard]] static Result<std::unique_ptr<KeyKeeper>>
    open(const Config& config, FileOps& files, const Clock& clock, RandomSource& random);
    /// With `keks` from elsewhere. `runtime_dir` "": rollback within this boot is not noticed.
    [[nodiscard]] static Result<std::unique_ptr<KeyKeeper>>
    open(const Config& config, FileOps& files, const Clock& clock, RandomSource& random,
         store::Keks keks, const BootId& boot_id);

    // ---- KeyStore
    [[nodiscard]] Result<void> put(store::KeyRecord record) override;
    [[nodiscard]] Result<void> end(std::span<const std::string> device_ids,
                                   std::vector<store::Tombstone> tombstones) override;
    [[nodiscard]] std::vector<store::Tombstone> tombstones() const override;
    void used(std::string_view device_id, UtcTime now) override;
    [[nodiscard]] const store::KeyRecord* find(std::string_view device_id) const override;
    [[nodiscard]] std::vector<const store::KeyRecord*> all() const override;
    [[nodiscard]] bool persistent() const override { return sealed_->persistent(); }
    void trust_time() override;
    void recheck_time() override;

    // ---- BootstrapMemory
    [[nodiscard]] Result<std::optional<keys::BootstrapPast>> load() override;
    [[nodiscard]] Result<void> store(const keys::BootstrapPast& past) override;
    [[nodiscard]] bool guards_keys() const override { return sealed_->persistent(); }

    [[nodiscard]] StoreInfo info() const;
    /// The file as it stands on the disk is the one that we have written. StoreFailed, Malformed.
    [[nodiscard]] Result<void> verify() const;
    /// No older copy can have been put in its place: the generation file of this boot says so.
    [[nodiscard]] bool newest_of_this_boot() const;
    /// What the UICC says contradicts the store: an old copy. It is set aside, we begin empty.
    [[nodiscard]] Result<void> distrust(Error why);
    /// Over to the next key. NotReady: there is none.
    [[nodiscard]] Result<void> rekey();
    [[nodiscard]] Result<void> note_time(); ///< SealedKeyStore::note_time()
    void close();                           ///< SealedKeyStore::close()

private:
    void note_trust();
    KeyKeeper(std::unique_ptr<store::SealedKeyStore> sealed, const std::string& state_dir)
        : sealed_(std::move(sealed)), file_(state_dir), state_dir_(state_dir) {}

    mutable std::mutex mutex_; ///< guards what sealed_ writes; records change on the reactor only
    std::unique_ptr<store::SealedKeyStore> sealed_;
    MemoryFile file_;
    std::string state_dir_;
    std::string key_origin_;
    std::optional<store::Kek> next_;
    bool file_waits_ = false; ///< a sealed store is there, and its key is not
};

} // namespace mtkey::daemon
