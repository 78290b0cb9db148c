// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store_file.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>

namespace mtkey::store {

/// KeyRecord::key_id of its ks_local_mt and th_est.
using KeyIdOf =
    std::function<Secret<32>(const Secret<32>&, const std::array<std::uint8_t, 32>& th_est)>;

/// What a store needs of the program around it; borrowed for its life.
struct StoreParts {
    FileOps& files;
    const Clock& clock;
    RandomSource& random;
    BootId boot_id;
    KeyIdOf key_id;
};

/// How the start went; for log, D-Bus and `mtkeyctl store info`.
struct LoadReport {
    /// Why what was found, or that nothing was, is not believed: the store began empty.
    std::optional<Error> distrusted;
    /// The file's new name, empty when there was none; with Access::Read that of a file which a
    /// start before this one has set aside.
    std::string kept_as;
    bool time_unknown = false; ///< the clock is behind what the store has seen
    /// The generation file of this boot says that what was found is the newest.
    bool vouched = false;
};

/// DRAFT-GAP(key-store): the keys of one program in one sealed file (docs/store.md). A change is on
/// the disk before the call returns, and one that failed did not happen: find() says what a restart
/// would find (but see KeyStore::end). Should the disk fail at the very last step and again when
/// the old file is put back, the error says that a restart may find the change done. Without a key
/// encryption key it all lives in memory only.
class SealedKeyStore final : public KeyStore {
public:
    /// StoreFailed: the file can neither be read nor set aside now; it is as it was. InProgress:
    /// another program has it. With Access::Read every change is refused (NotReady).
    [[nodiscard]] static Result<std::unique_ptr<SealedKeyStore>>
    open(StorePlace place, StoreParts parts, Keks keks, std::size_t limit = kMostRecords);

    /// Beside KeyStore's: StoreFailed, RandomFailed; InvalidArgument for what no file could hold.
    [[nodiscard]] Result<void> put(KeyRecord record) override;
    [[nodiscard]] Result<void> end(std::span<const std::string> device_ids,
                                   std::vector<Tombstone> tombstones) override;
    [[nodiscard]] std::vector<Tombstone> tombstones() const override {
        return snapshot_.memory.tombstones;
    }
    void used(std::string_view device_id, UtcTime now) override;
    [[nodiscard]] bool persistent() const override { return file_.has_value(); }
    void trust_time() override;
    void recheck_time() override;
    [[nodiscard]] const KeyRecord* find(std::string_view device_id) const override;
    [[nodiscard]] const KeyRecord* find_pending(std::string_view device_id) const;
    [[nodiscard]] std::vector<const KeyRecord*> all() const override;

    /// end() of one, with the tombstones that there are. NotFound.
    [[nodiscard]] Result<void> erase(std::string_view device_id);
    /// The pending record of this Device_ID becomes `record`, which replaces the one beside it, in
    /// one change. NotFound: none is pending.
    [[nodiscard]] Result<void> confirm(KeyRecord record);
    /// Every record that `going` says, in one change; none is no error. Failures as of end().
    using Going = std::function<bool(const KeyRecord&)>;
    [[nodiscard]] Result<void> erase_if(const Going& going);
    [[nodiscard]] const Memory& memory() const { return snapshot_.memory; }
    [[nodiscard]] Result<void> remember(Memory memory); ///< nothing is written when it is the same

    /// What only the program can see (the UICC holds another RAND or B-TID than memory() says): the
    /// file is an old copy. As at the start: set aside, empty from now on, report() says why.
    [[nodiscard]] Result<void> distrust(Error why);
    /// Writes how late it is: what a reboot with a clock that was set back is measured by. For the
    /// end of the program, and once an hour.
    [[nodiscard]] Result<void> note_time() { return commit(); }
    /// Seals under `next` from now on; again with the same key it does nothing. NotReady in memory.
    [[nodiscard]] Result<void> rekey(const Kek& next);

    /// The file as it stands on the disk is the one that was written last.
    [[nodiscard]] Result<void> verify() const;

    [[nodiscard]] const LoadReport& report() const { return report_; }
    [[nodiscard]] std::uint64_t generation() const { return snapshot_.generation; }
    /// Wipes the keys in memory and leaves the file: from now on nothing is written.
    void close();

private:
    SealedKeyStore(StoreParts parts, std::size_t limit) : parts_(std::move(parts)), limit_(limit) {}
    void adopt(Snapshot snapshot);
    void stamp();
    [[nodiscard]] Result<void> commit();
    [[nodiscard]] std::vector<KeyRecord>::iterator place_of(const KeyRecord& record);
    [[nodiscard]] Result<void> end_those(const Going& going, Memory after);
    void revoke_those(const Going& going);

    StoreParts parts_;
    std::size_t limit_;
    bool closed_ = false;
    std::optional<StoreFile> file_; ///< nothing: in memory only
    Snapshot snapshot_;
    LoadReport report_;
};

} // namespace mtkey::store
