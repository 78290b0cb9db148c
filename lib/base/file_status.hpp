// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/file.hpp"

#include <fcntl.h>
#include <string>
#include <sys/stat.h>

namespace mtkey {

// What file.cpp and directory.cpp share: may this file be believed, and what does errno mean?

/// O_NONBLOCK: a FIFO in the place of the file must not hold us up.
inline constexpr int kReadFlags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

/// From errno. NotFound for ENOENT; InvalidArgument for what stands there and is no file; else
/// IoFailed.
std::unexpected<Error> system_failure(const std::string& what, const std::string& path);
/// NotAuthorized: another's, or open to others.
Result<void> check_owner(const struct stat& status, Trust trust, const std::string& path);
/// The same, and InvalidArgument when it is no regular file, LimitExceeded when it is too large.
Result<void> check_file(const struct stat& status, std::size_t limit, Trust trust,
                        const std::string& path);

} // namespace mtkey
