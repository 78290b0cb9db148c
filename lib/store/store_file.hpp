// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/directory.hpp"
#include "store/kek.hpp"
#include "store/snapshot.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mtkey::store {

/// Read: nothing on the disk changes, whatever is found there; another program may be writing.
enum class Access { Read, Change };

/// Where a sealed file lives and whose it is.
struct StorePlace {
    std::string directory;           ///< exists; of root or us, not writable by others
    std::string runtime_directory;   ///< in a tmpfs, kept over restarts; empty: no generation file
    std::string store_id = "mtkeyd"; ///< at most 255 octets
    std::span<const Layout> layouts = kLayouts;
    Access access = Access::Change;
};

/// In StorePlace::directory.
inline constexpr const char* kStoreFile = "store";
inline constexpr const char* kLockFile = "store.lock";

/// StoreFailed; makes no allocation of its own.
[[nodiscard]] inline std::unexpected<Error> out_of_memory() {
    return fail(Errc::StoreFailed, "out of memory");
}

/// Owns the sealed file on the disk and the generation file beside it: reads, replaces and sets
/// aside; knows nothing of what is in it. Keeps other programs from doing so while it lives.
class StoreFile {
public:
    /// `files` and `random` are borrowed; `keks.current` is there. StoreFailed; InProgress: another
    /// program has the store, which kLockFile in its directory tells.
    [[nodiscard]] static Result<StoreFile>
    open(StorePlace place, FileOps& files, RandomSource& random, const BootId& boot_id, Keks keks);

    /// Nothing: there never was one. StoreFailed: it cannot be read now. Any other error: what
    /// stands there is not to be believed (altered, of another key, older than this boot has seen).
    [[nodiscard]] Result<std::optional<Snapshot>> read();
    /// Replaces the file; sets `snapshot.generation`. On failure the old file stands, unless the
    /// error says that it could not be put back. StoreFailed, RandomFailed, LimitExceeded,
    /// InvalidArgument.
    [[nodiscard]] Result<void> write(Snapshot& snapshot);
    /// What stands on the disk is what was read or written last. StoreFailed: it cannot be read;
    /// any other error: it is something else. The next write replaces it.
    [[nodiscard]] Result<void> verify() const;
    /// Takes the file away to another name, which is returned; empty when there is none.
    [[nodiscard]] Result<std::string> set_aside();
    [[nodiscard]] std::string former() const; ///< what was set aside before; empty: nothing
    /// read() has found what the generation file of this boot names as the newest.
    [[nodiscard]] bool vouched() const { return vouched_; }
    [[nodiscard]] bool writable() const { return place_.access == Access::Change; }
    /// write() under `next`, which is the key from then on; nothing when it is already.
    [[nodiscard]] Result<void> rekey(const Kek& next, Snapshot& snapshot);

private:
    StoreFile(StorePlace place, RandomSource& random, const BootId& boot_id, Directory directory,
              Keks keks)
        : place_(std::move(place)),
          random_(&random),
          boot_id_(boot_id),
          directory_(std::move(directory)),
          keks_(std::move(keks)) {}
    [[nodiscard]] Result<std::uint64_t> read_floor(std::span<const Kek* const> keks) const;
    [[nodiscard]] Result<std::optional<Replacement>> prepare_floor(std::uint64_t generation) const;
    [[nodiscard]] Result<void> replace(ByteView file, std::uint64_t generation);
    [[nodiscard]] bool restore() const;
    [[nodiscard]] unsigned last_bad() const;

    StorePlace place_;
    RandomSource* random_;
    BootId boot_id_;
    Directory directory_;
    std::optional<Directory> runtime_;
    UniqueFd lock_;
    Keks keks_;  ///< current: the one that the file is sealed under
    Bytes file_; ///< as it stands on the disk; empty: there is none
    bool vouched_ = false;
    std::uint64_t next_generation_ = 1; ///< never given twice, whatever fails
};

} // namespace mtkey::store
