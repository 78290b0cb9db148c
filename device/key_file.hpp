// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.hpp"
#include "device/stored_key.hpp"

#include <string>
#include <vector>

namespace mtkey::device {

inline constexpr std::size_t kMostKeys = 32;
inline constexpr std::size_t kKeyFileLimit = 48 * 1024;

/// Pure: the text of a key file. `name` stands in the errors, which say what is wrong and where.
Result<std::vector<StoredKey>> parse_key_file(ByteView text, const std::string& name);
/// The same back, newest first. Holds keys: wipe() it.
Bytes encode_key_file(const std::vector<StoredKey>& keys);

/// The device's keys in one file of mode 0600: at most one active and one pending key per MT,
/// newest first. Each change is on the disk when the call returns, or has not happened. A file that
/// cannot be read is an error and stays as it is.
class KeyFile {
public:
    enum class Access { Read, Change };
    /// An absent file reads as an empty one. `Change` locks out other processes while this object
    /// lives (InProgress).
    static Result<KeyFile> open(const std::string& path, Access access);

    [[nodiscard]] const std::vector<StoredKey>& keys() const { return keys_; }
    [[nodiscard]] const StoredKey* find(std::string_view mt_id, StoredKey::State state) const;

    /// In the place of an older pending key of the same MT; the active one stays.
    [[nodiscard]] Result<void> add_pending(StoredKey key);
    /// The pending key of this MT becomes its active one, with the agreed end.
    [[nodiscard]] Result<void> confirm(const std::string& mt_id, UtcTime expires);
    [[nodiscard]] Result<void> remove(const std::string& mt_id, StoredKey::State state);
    [[nodiscard]] Result<void> remove_expired(UtcTime now);
    /// All keys of this MT, or of all; the number of them.
    [[nodiscard]] Result<std::size_t> forget(std::string_view mt_id);

private:
    KeyFile() = default;
    [[nodiscard]] std::vector<StoredKey> without(std::string_view mt_id,
                                                 StoredKey::State state) const;
    [[nodiscard]] Result<void> commit(std::vector<StoredKey> keys);

    std::string path_;
    UniqueFd lock_;
    std::vector<StoredKey> keys_;
};

} // namespace mtkey::device
