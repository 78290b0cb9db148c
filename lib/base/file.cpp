// SPDX-License-Identifier: Apache-2.0
#include "base/file.hpp"

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

std::unexpected<Error> failed(const std::string& what, const std::string& path) {
    const int code = errno;
    return fail(code == ENOENT ? Errc::NotFound : Errc::IoFailed,
                what + " " + path + ": " + std::strerror(code), static_cast<std::uint32_t>(code));
}

Result<UniqueFd> open_checked(const std::string& path, std::size_t limit, Trust trust) {
    const int follow = trust == Trust::Any ? 0 : O_NOFOLLOW;
    // O_NONBLOCK: a FIFO in the place of the file must not hold us up.
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | follow));
    if (!fd.valid()) {
        return failed("cannot open", path);
    }
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) {
        return failed("cannot examine", path);
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(Errc::InvalidArgument, path + " is not a regular file");
    }
    if (static_cast<std::uintmax_t>(status.st_size) > limit) {
        return fail(Errc::LimitExceeded,
                    path + " is larger than " + std::to_string(limit) + " octets");
    }
    if (trust != Trust::Any && status.st_uid != 0 && status.st_uid != ::geteuid()) {
        return fail(Errc::NotAuthorized, path + " belongs to another user; chown it");
    }
    const mode_t forbidden = trust == Trust::Private ? 0077 : (trust == Trust::Config ? 0022 : 0);
    if ((status.st_mode & forbidden) != 0) {
        return fail(Errc::NotAuthorized,
                    path + (trust == Trust::Private ? " is open to others; chmod 600 it"
                                                    : " is writable by others; chmod go-w it"));
    }
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
            outcome = failed("cannot read", name);
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

Result<std::string> read_file(const std::string& path, std::size_t limit, Trust trust) {
    const UniqueFd fd = MTKEY_TRY(open_checked(path, limit, trust));
    std::string content;
    MTKEY_CHECK(
        read_until_end(fd.get(), limit, path, [&](ByteView part) { content += as_text(part); }));
    return content;
}

Result<SecretBytes> read_secret_file(const std::string& path, std::size_t limit) {
    const UniqueFd fd = MTKEY_TRY(open_checked(path, limit, Trust::Private));
    // The secure heap is small: as much of it as the file has now, not as much as it might have.
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) {
        return failed("cannot read", path);
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
            return failed("cannot write", "descriptor " + std::to_string(fd));
        }
        octets = octets.subspan(static_cast<std::size_t>(done));
    }
    return {};
}

Result<void> write_private_file(const std::string& path, ByteView content) {
    const auto slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const std::string temporary = path + ".tmp";
    if (::unlink(temporary.c_str()) != 0 && errno != ENOENT) {
        return failed("cannot remove", temporary);
    }
    UniqueFd fd(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.valid()) {
        return failed("cannot create", temporary);
    }
    auto outcome = write_all(fd.get(), content);
    if (outcome && ::fdatasync(fd.get()) != 0) {
        outcome = failed("cannot sync", temporary);
    }
    if (outcome && ::rename(temporary.c_str(), path.c_str()) != 0) {
        outcome = failed("cannot rename", temporary);
    }
    if (!outcome) {
        ::unlink(temporary.c_str());
        return outcome;
    }
    const UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid() || ::fsync(directory.get()) != 0) {
        return failed("cannot sync", folder);
    }
    return {};
}

} // namespace mtkey
