// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

#include <cerrno>
#include <span>
#include <sys/stat.h>
#include <sys/types.h>

namespace mtkey {

/// The system calls that change files which must survive. A seam: tests let each of them fail and
/// record what a disk was asked for. Results are those of the calls: -1 and errno.
class FileOps {
public:
    virtual ~FileOps() = default;
    virtual int openat(int directory, const char* name, int flags, mode_t mode);
    virtual int fstat(int fd, struct stat& out);
    virtual ssize_t read(int fd, std::span<std::uint8_t> out);
    virtual ssize_t write(int fd, ByteView octets);
    virtual int fdatasync(int fd);
    virtual int fsync(int fd);
    virtual int renameat(int directory, const char* from, const char* to);
    virtual int unlinkat(int directory, const char* name);
    virtual int flock(int fd, int operation);
};

/// The same call again while a signal interrupts it; a call that is never spared fails with EINTR.
template <typename Call>
auto uninterrupted(Call call) {
    constexpr int kMostTries = 100;
    auto result = call();
    for (int tries = 1; result < 0 && errno == EINTR && tries < kMostTries; ++tries) {
        result = call();
    }
    return result;
}

} // namespace mtkey
