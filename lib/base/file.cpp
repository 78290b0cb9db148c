// SPDX-License-Identifier: Apache-2.0
#include "base/file.hpp"

#include "base/directory.hpp"
#include "base/file_status.hpp"
#include "base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <sys/stat.h>
#include <unistd.h>

namespace mtkey {
namespace {

mode_t forbidden_mode(Trust trust) {
    switch (trust) {
    case Trust::Any:
        return 0;
    case Trust::Config:
        return 0022;
    case Trust::Credential:
        return 0037;
    case Trust::Private:
        return 0077;
    }
    return 0777;
}

Result<UniqueFd> open_checked(const std::string& path, std::size_t limit, Trust trust) {
    const int follow = trust == Trust::Any ? 0 : O_NOFOLLOW;
    UniqueFd fd(::open(path.c_str(), kReadFlags | follow));
    if (!fd.valid()) {
        return system_failure("cannot open", path);
    }
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) {
        return system_failure("cannot examine", path);
    }
    MTKEY_CHECK(check_file(status, limit, trust, path));
    return fd;
}

/// Reads until the end; `out` grows to at most `limit`. A file may grow after fstat: counted here
/// again.
template <typename Sink>
Result<void> read_until_end(int fd, std::size_t limit, const std::string& name, Sink sink) {
    std::array<std::uint8_t, 4096> buffer{};
    std::size_t total = 0;
    Result<void> outcome;
    while (true) {
        const ssize_t got = ::read(fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            outcome = system_failure("cannot read", name);
            break;
        }
        if (got == 0) {
            break;
        }
        total += static_cast<std::size_t>(got);
        if (total > limit) {
            outcome = fail(Errc::LimitExceeded,
                           name + " is larger than " + std::to_string(limit) + " octets");
            break;
        }
        sink(ByteView(buffer).first(static_cast<std::size_t>(got)));
    }
    wipe(std::span<std::uint8_t>(buffer));
    return outcome;
}

Result<SecretBytes> secret_from(int fd, std::size_t limit, const std::string& name) {
    SecretBytes space(limit);
    std::size_t used = 0;
    MTKEY_CHECK(read_until_end(fd, limit, name, [&](ByteView part) {
        std::memcpy(space.reveal_writable().data() + used, part.data(), part.size());
        used += part.size();
    }));
    return SecretBytes(space.reveal().first(used));
}

} // namespace

std::unexpected<Error> system_failure(const std::string& what, const std::string& path) {
    const int code = errno;
    // Behind O_NOFOLLOW a link, and a socket: no error of the disk, but not what it should be.
    const bool odd = code == ELOOP || code == ENXIO;
    return fail(code == ENOENT ? Errc::NotFound : (odd ? Errc::InvalidArgument : Errc::IoFailed),
                what + " " + path + ": " + std::strerror(code), static_cast<std::uint32_t>(code));
}

Result<void> check_owner(const struct stat& status, Trust trust, const std::string& path) {
    if (trust != Trust::Any && status.st_uid != 0 && status.st_uid != ::geteuid()) {
        return fail(Errc::NotAuthorized, path + " belongs to another user; chown it");
    }
    const mode_t forbidden = forbidden_mode(trust);
    if ((status.st_mode & forbidden) != 0) {
        return fail(Errc::NotAuthorized,
                    path + (trust == Trust::Config ? " is writable by others; chmod go-w it"
                                                   : " is open to others; chmod 600 it"));
    }
    return {};
}

Result<void> check_file(const struct stat& status, std::size_t limit, Trust trust,
                        const std::string& path) {
    if (!S_ISREG(status.st_mode)) {
        return fail(Errc::InvalidArgument, path + " is not a regular file");
    }
    if (static_cast<std::uintmax_t>(status.st_size) > limit) {
        return fail(Errc::LimitExceeded,
                    path + " is larger than " + std::to_string(limit) + " octets");
    }
    return check_owner(status, trust, path);
}

Result<std::string> read_file(const std::string& path, std::size_t limit, Trust trust) {
    const UniqueFd fd = MTKEY_TRY(open_checked(path, limit, trust));
    std::string content;
    MTKEY_CHECK(
        read_until_end(fd.get(), limit, path, [&](ByteView part) { content += as_text(part); }));
    return content;
}

Result<SecretBytes> read_secret_file(const std::string& path, std::size_t limit, Trust trust) {
    const UniqueFd fd = MTKEY_TRY(open_checked(path, limit, trust));
    // The secure heap is small: as much of it as the file has now, not as much as it might have.
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) {
        return system_failure("cannot read", path);
    }
    try {
        return secret_from(fd.get(), std::min(limit, static_cast<std::size_t>(status.st_size)),
                           path);
    } catch (const std::bad_alloc&) {
        return fail(Errc::LimitExceeded, path + " does not fit into the secure heap");
    }
}

Result<SecretBytes> read_secret_fd(int fd, std::size_t limit) {
    const std::string name = "descriptor " + std::to_string(fd);
    try {
        return secret_from(fd, limit, name);
    } catch (const std::bad_alloc&) {
        return fail(Errc::LimitExceeded, name + " does not fit into the secure heap");
    }
}

Result<void> write_all(int fd, ByteView octets) {
    while (!octets.empty()) {
        const ssize_t done = ::write(fd, octets.data(), octets.size());
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return system_failure("cannot write", "descriptor " + std::to_string(fd));
        }
        octets = octets.subspan(static_cast<std::size_t>(done));
    }
    return {};
}

Result<void> write_private_file(const std::string& path, ByteView content) {
    const auto slash = path.rfind('/');
    FileOps files;
    const auto directory = MTKEY_TRY(Directory::open(
        files, slash == std::string::npos ? "." : path.substr(0, slash + 1), Trust::Any));
    auto replacement =
        MTKEY_TRY(directory.replace(path.substr(slash + 1), content, Outlives::PowerCut));
    MTKEY_CHECK(replacement.publish());
    return directory.sync();
}

} // namespace mtkey
