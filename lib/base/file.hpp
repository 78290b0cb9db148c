// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <string>

namespace mtkey {

/// Who may be able to write (and read) a file that we are about to believe.
enum class Trust {
    Any,        ///< no check: certificates, test data
    Config,     ///< owned by root or us, not writable by others
    Credential, ///< the same, and open to nobody but, by an ACL whose mask shows as the group's
                ///< mode, to whom systemd gave it (systemd.exec(5), LoadCredential=)
    Private,    ///< owned by root or us, not readable by others (0600 or stricter)
};

/// Whole regular file of at most `limit` octets; no symbolic link as the last element but for
/// Any.
Result<std::string> read_file(const std::string& path, std::size_t limit, Trust trust);
Result<SecretBytes> read_secret_file(const std::string& path, std::size_t limit,
                                     Trust trust = Trust::Private);
/// All octets of an inherited descriptor until its end (a PIN, a key), at most `limit`.
Result<SecretBytes> read_secret_fd(int fd, std::size_t limit);

/// Temporary file of mode 0600 + fdatasync + rename + fsync of the directory: the old or the new,
/// never half.
Result<void> write_private_file(const std::string& path, ByteView content);

/// Writes all of it, whatever signals and short writes.
Result<void> write_all(int fd, ByteView octets);

} // namespace mtkey
