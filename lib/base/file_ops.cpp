// SPDX-License-Identifier: Apache-2.0
#include "base/file_ops.hpp"

#include <cstdio>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace mtkey {

int FileOps::openat(int directory, const char* name, int flags, mode_t mode) {
    return ::openat(directory, name, flags, mode);
}

int FileOps::fstat(int fd, struct stat& out) {
    return ::fstat(fd, &out);
}

ssize_t FileOps::read(int fd, std::span<std::uint8_t> out) {
    return ::read(fd, out.data(), out.size());
}

ssize_t FileOps::write(int fd, ByteView octets) {
    return ::write(fd, octets.data(), octets.size());
}

int FileOps::fdatasync(int fd) {
    return ::fdatasync(fd);
}

int FileOps::fsync(int fd) {
    return ::fsync(fd);
}

int FileOps::renameat(int directory, const char* from, const char* to) {
    return ::renameat(directory, from, directory, to);
}

int FileOps::unlinkat(int directory, const char* name) {
    return ::unlinkat(directory, name, 0);
}

int FileOps::flock(int fd, int operation) {
    return ::flock(fd, operation);
}

} // namespace mtkey
