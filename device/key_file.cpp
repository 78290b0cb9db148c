// SPDX-License-Identifier: Apache-2.0
#include "device/key_file.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>

namespace mtkey::device {
namespace {

/// A file of its own: the key file is replaced at each change, and a lock would stay with the old
/// one.
Result<UniqueFd> lock_beside(const std::string& path) {
    const std::string name = path + ".lock";
    UniqueFd fd(::open(name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd.valid()) {
        const int code = errno;
        return fail(Errc::IoFailed, "cannot create " + name + ": " + std::strerror(code),
                    static_cast<std::uint32_t>(code));
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        return fail(Errc::InProgress, "another program is changing " + path);
    }
    return fd;
}

} // namespace

Result<KeyFile> KeyFile::open(const std::string& path, Access access) {
    KeyFile file;
    file.path_ = path;
    if (access == Access::Change) {
        file.lock_ = MTKEY_TRY(lock_beside(path));
    }
    auto text = read_secret_file(path, kKeyFileLimit);
    if (!text) {
        if (text.error().code == Errc::NotFound) {
            return file;
        }
        return std::unexpected(std::move(text).error());
    }
    file.keys_ = MTKEY_TRY(parse_key_file(text->reveal(), "key file " + path));
    return file;
}

const StoredKey* KeyFile::find(std::string_view mt_id, StoredKey::State state) const {
    const auto found = std::ranges::find_if(
        keys_, [&](const StoredKey& key) { return key.mt_id == mt_id && key.state == state; });
    return found == keys_.end() ? nullptr : &*found;
}

std::vector<StoredKey> KeyFile::without(std::string_view mt_id, StoredKey::State state) const {
    std::vector<StoredKey> rest;
    for (const auto& key : keys_) {
        if (key.mt_id != mt_id || key.state != state) {
            rest.push_back(key.clone());
        }
    }
    return rest;
}

Result<void> KeyFile::commit(std::vector<StoredKey> keys) {
    Bytes text = encode_key_file(keys);
    auto written = text.size() > kKeyFileLimit
                       ? fail(Errc::LimitExceeded, "key file " + path_ + " is full")
                       : write_private_file(path_, text);
    wipe(text);
    if (!written) {
        return fail(Errc::StoreFailed, written.error().context, written.error().detail);
    }
    keys_ = std::move(keys);
    return {};
}

Result<void> KeyFile::add_pending(StoredKey key) {
    auto keys = without(key.mt_id, StoredKey::State::Pending);
    if (keys.size() >= kMostKeys) {
        return fail(Errc::LimitExceeded, "key file " + path_ + " is full; forget an MT");
    }
    key.state = StoredKey::State::Pending;
    keys.insert(keys.begin(), std::move(key));
    return commit(std::move(keys));
}

Result<void> KeyFile::confirm(const std::string& mt_id, UtcTime expires) {
    const StoredKey* pending = find(mt_id, StoredKey::State::Pending);
    if (pending == nullptr) {
        return fail(Errc::NoKey, "no pending key for this MT");
    }
    StoredKey key = pending->clone();
    key.state = StoredKey::State::Active;
    key.expires = expires;
    std::vector<StoredKey> keys;
    keys.push_back(std::move(key));
    for (const auto& other : keys_) {
        if (other.mt_id != mt_id) {
            keys.push_back(other.clone());
        }
    }
    return commit(std::move(keys));
}

Result<void> KeyFile::remove(const std::string& mt_id, StoredKey::State state) {
    return find(mt_id, state) == nullptr ? Result<void>() : commit(without(mt_id, state));
}

Result<void> KeyFile::remove_expired(UtcTime now) {
    std::vector<StoredKey> rest;
    for (const auto& key : keys_) {
        if (key.expires > now) {
            rest.push_back(key.clone());
        }
    }
    return rest.size() == keys_.size() ? Result<void>() : commit(std::move(rest));
}

Result<std::size_t> KeyFile::forget(std::string_view mt_id) {
    std::vector<StoredKey> rest;
    for (const auto& key : keys_) {
        if (!mt_id.empty() && key.mt_id != mt_id) {
            rest.push_back(key.clone());
        }
    }
    const std::size_t gone = keys_.size() - rest.size();
    if (gone > 0) {
        MTKEY_CHECK(commit(std::move(rest)));
    }
    return gone;
}

} // namespace mtkey::device
