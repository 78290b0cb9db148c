// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/file_ops.hpp"
#include "store/sealing.hpp"

#include <optional>
#include <string>

namespace mtkey::store {

/// Where a program may have its key encryption key from.
struct KekSource {
    std::string credentials_directory; ///< $CREDENTIALS_DIRECTORY of systemd; empty: none
    std::string credential;            ///< "mtkeyd.store-key": the name in it
    std::string key_file; ///< for systems without systemd; empty: none. Of root or us, mode 0400
};

/// `next` is there while the store moves to another key (`mtkeyctl store rekey`).
struct Keks {
    std::optional<Kek> current; ///< nothing: the store lives in memory only
    std::optional<Kek> next;
    std::string origin; ///< "credential", "file", "none"
};

/// 32 octets of `credential`, else of `key_file`; the next key is beside it, with ".new" behind the
/// name. A source that is there and cannot be believed is an error, never "none".
[[nodiscard]] Result<Keks> load_keks(const KekSource& source);

/// For a program that has no store yet: a new key of mode 0400 at `key_file`, which outlives a
/// power cut from then on. False: there is one, which is left as it is. RandomFailed; StoreFailed.
[[nodiscard]] Result<bool> make_kek(const std::string& key_file, FileOps& files,
                                    RandomSource& random);

} // namespace mtkey::store
