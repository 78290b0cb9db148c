// SPDX-License-Identifier: Apache-2.0
#include "base/directory.hpp"

#include "base/file_status.hpp"

#include <array>
#include <fcntl.h>
#include <sys/file.h>

namespace mtkey {
namespace {

constexpr int kLockTries = 50;
constexpr unsigned kLockPauseMicroseconds = 100'000;

Result<void> write_whole(FileOps& files, int fd, ByteView octets, const std::string& path) {
    while (!octets.empty()) {
        const auto done = uninterrupted([&] { return files.write(fd, octets); });
        if (done <= 0) {
            errno = done == 0 ? EIO : errno; // a file that takes nothing and says nothing
            return system_failure("cannot write", path);
        }
        octets = octets.subspan(static_cast<std::size_t>(done));
    }
    return {};
}

} // namespace

Replacement::~Replacement() {
    if (files_ != nullptr) {
        files_->unlinkat(directory_, temporary(name_).c_str());
    }
}

Result<void> Replacement::publish() {
    const std::string from = temporary(name_);
    if (uninterrupted([&] { return files_->renameat(directory_, from.c_str(), name_.c_str()); }) !=
        0) {
        return system_failure("cannot rename", path_ + from);
    }
    files_ = nullptr;
    return {};
}

Result<Directory> Directory::open(FileOps& files, const std::string& path, Trust trust) {
    UniqueFd fd(uninterrupted([&] {
        return files.openat(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    }));
    if (!fd.valid()) {
        return system_failure("cannot open", path);
    }
    if (trust != Trust::Any) {
        struct stat status{};
        if (uninterrupted([&] { return files.fstat(fd.get(), status); }) != 0) {
            return system_failure("cannot examine", path);
        }
        MTKEY_CHECK(check_owner(status, Trust::Config, path));
    }
    return Directory(files, path + "/", std::move(fd));
}

Result<Bytes> Directory::read(const std::string& name, std::size_t limit, Trust trust) const {
    const std::string path = path_ + name;
    const UniqueFd fd(uninterrupted(
        [&] { return files_->openat(fd_.get(), name.c_str(), kReadFlags | O_NOFOLLOW, 0); }));
    if (!fd.valid()) {
        return system_failure("cannot open", path);
    }
    struct stat status{};
    if (uninterrupted([&] { return files_->fstat(fd.get(), status); }) != 0) {
        return system_failure("cannot examine", path);
    }
    MTKEY_CHECK(check_file(status, limit, trust, path));
    // One octet of room more than it has: what grows meanwhile is seen.
    Bytes content(static_cast<std::size_t>(status.st_size) + 1);
    std::size_t used = 0;
    while (used < content.size()) {
        const auto got =
            uninterrupted([&] { return files_->read(fd.get(), std::span(content).subspan(used)); });
        if (got < 0) {
            return system_failure("cannot read", path);
        }
        if (got == 0) {
            break;
        }
        used += static_cast<std::size_t>(got);
    }
    if (used == content.size()) {
        return fail(Errc::LimitExceeded, path + " grows while it is read");
    }
    content.resize(used);
    return content;
}

Result<bool> Directory::has(const std::string& name) const {
    const UniqueFd fd(uninterrupted([&] {
        return files_->openat(fd_.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    }));
    if (!fd.valid() && errno != ENOENT) {
        return system_failure("cannot open", path_ + name);
    }
    return fd.valid();
}

Result<Replacement> Directory::replace(const std::string& name, ByteView content, Outlives outlives,
                                       mode_t mode) const {
    const std::string temporary = Replacement::temporary(name);
    const auto create = [&] {
        return uninterrupted([&] {
            return files_->openat(fd_.get(), temporary.c_str(),
                                  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        });
    };
    UniqueFd fd(create());
    if (!fd.valid() && errno == EEXIST) { // left by somebody who was killed
        MTKEY_CHECK(remove(temporary));
        fd.reset(create());
    }
    if (!fd.valid()) {
        return system_failure("cannot create", path_ + temporary);
    }
    Replacement replacement(*files_, fd_.get(), path_, name);
    MTKEY_CHECK(write_whole(*files_, fd.get(), content, path_ + temporary));
    if (outlives == Outlives::PowerCut &&
        uninterrupted([&] { return files_->fdatasync(fd.get()); }) != 0) {
        return system_failure("cannot sync", path_ + temporary);
    }
    return replacement;
}

Result<void> Directory::rename(const std::string& from, const std::string& to) const {
    if (uninterrupted([&] { return files_->renameat(fd_.get(), from.c_str(), to.c_str()); }) != 0) {
        return system_failure("cannot rename", path_ + from);
    }
    return {};
}

Result<void> Directory::remove(const std::string& name) const {
    if (uninterrupted([&] { return files_->unlinkat(fd_.get(), name.c_str()); }) != 0 &&
        errno != ENOENT) {
        return system_failure("cannot remove", path_ + name);
    }
    return {};
}

Result<void> Directory::sync() const {
    if (uninterrupted([&] { return files_->fsync(fd_.get()); }) != 0) {
        return system_failure("cannot sync", path_);
    }
    return {};
}

Result<UniqueFd> Directory::lock(const std::string& name) const {
    const std::string path = path_ + name;
    UniqueFd fd(uninterrupted([&] {
        return files_->openat(fd_.get(), name.c_str(),
                              O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    }));
    if (!fd.valid()) {
        return system_failure("cannot open", path);
    }
    if (uninterrupted([&] { return files_->flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) {
        return errno == EWOULDBLOCK ? fail(Errc::InProgress, "another program has locked " + path)
                                    : system_failure("cannot lock", path);
    }
    return fd;
}

Result<UniqueFd> Directory::wait_for_lock() const {
    // Opened anew: a lock belongs to what was opened, and this object may be there for longer.
    UniqueFd fd(uninterrupted(
        [&] { return files_->openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0); }));
    if (!fd.valid()) {
        return system_failure("cannot open", path_);
    }
    // Anybody who may open the directory can hold it: not for ever.
    for (int tries = 0; tries < kLockTries; ++tries) {
        if (uninterrupted([&] { return files_->flock(fd.get(), LOCK_EX | LOCK_NB); }) == 0) {
            return fd;
        }
        if (errno != EWOULDBLOCK) {
            return system_failure("cannot lock", path_);
        }
        ::usleep(kLockPauseMicroseconds);
    }
    return fail(Errc::InProgress, "somebody else holds " + path_);
}

} // namespace mtkey
