// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/database_file.hpp"

#include "base/directory.hpp"
#include "base/unique_fd.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mtkey::bsf {
namespace {

constexpr mode_t kOthers = 0077;

std::unexpected<Error> failed(const std::string& what, const std::string& path) {
    const int code = errno;
    return fail(Errc::IoFailed, what + " database " + path + ": " + std::strerror(code),
                static_cast<std::uint32_t>(code));
}

Result<void> check(const std::string& path, const struct stat& status) {
    if (!S_ISREG(status.st_mode)) {
        return fail(Errc::NotAuthorized, "database " + path + " is not a regular file");
    }
    if (status.st_uid != ::geteuid()) {
        return fail(Errc::NotAuthorized, "database " + path + " belongs to another user; chown it");
    }
    if ((status.st_mode & kOthers) != 0) {
        return fail(Errc::NotAuthorized,
                    "database " + path + " holds keys and is open to others; chmod 600 it");
    }
    return {};
}

/// Whoever may write in it can put another database in the place of ours, or a log beside it before
/// SQLite makes one; a sticky folder does not keep from the second.
Result<void> check_folder(const std::string& path) {
    const auto slash = path.rfind('/');
    FileOps files;
    const auto folder = Directory::open(
        files, slash == std::string::npos ? "." : path.substr(0, slash == 0 ? 1 : slash),
        Trust::Config);
    if (folder) {
        return {};
    }
    const auto& [code, detail, why] = folder.error();
    return code == Errc::NotAuthorized
               ? fail(code, "database " + path + ": its folder " + why +
                                ", or put the database into a folder of your own")
               : fail(code, "database " + path + ": " + why, detail);
}

} // namespace

Result<void> prepare_database_file(const std::string& path, Missing missing) {
    MTKEY_CHECK(check_folder(path));
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) {
        if (errno != ENOENT) {
            return failed("cannot examine", path);
        }
        if (missing == Missing::Refuse) {
            return fail(Errc::NotFound, "database " + path);
        }
        const UniqueFd fd(
            ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!fd.valid() || ::fstat(fd.get(), &status) != 0) {
            return failed("cannot create", path);
        }
    }
    // By its name, not by a descriptor: closing one would end the locks of whoever has the database
    // open in this process (POSIX).
    MTKEY_CHECK(check(path, status));
    for (const char* suffix : {"-wal", "-shm", "-journal"}) {
        const auto beside = path + suffix;
        struct stat of_beside{};
        if (::lstat(beside.c_str(), &of_beside) == 0) {
            MTKEY_CHECK(check(beside, of_beside));
        } else if (errno != ENOENT) {
            return failed("cannot examine", beside);
        }
    }
    return {};
}

} // namespace mtkey::bsf
