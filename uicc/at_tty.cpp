// SPDX-License-Identifier: Apache-2.0
#include "uicc/at_tty.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

namespace mtkey::uicc {
namespace {

struct Speed {
    unsigned baud;
    speed_t constant;
};
constexpr std::array kSpeeds{
    Speed{9600, B9600},       Speed{19200, B19200},     Speed{38400, B38400},
    Speed{57600, B57600},     Speed{115200, B115200},   Speed{230400, B230400},
    Speed{460800, B460800},   Speed{921600, B921600},   Speed{1000000, B1000000},
    Speed{2000000, B2000000}, Speed{3000000, B3000000}, Speed{4000000, B4000000},
};

std::unexpected<Error> system_error(const std::string& device, int code) {
    const auto detail = static_cast<std::uint32_t>(code);
    switch (code) {
    case EACCES:
    case EPERM:
        return fail(Errc::NotAuthorized, device + " (its group, dialout on Debian, may open it)",
                    detail);
    case EBUSY:
        return fail(Errc::ReaderBusy, device, detail);
    default:
        return fail(Errc::NoReader, device + ": " + std::strerror(code), detail);
    }
}

/// PID of the holder of a flock, for the message; 0 = not seen (another PID namespace).
long lock_owner(const struct stat& status) {
    std::FILE* locks = std::fopen("/proc/locks", "re");
    if (locks == nullptr) {
        return 0;
    }
    long owner = 0;
    std::array<char, 256> line{};
    while (owner == 0 && std::fgets(line.data(), line.size(), locks) != nullptr) {
        std::array<char, 16> kind{};
        long pid = 0;
        unsigned major_number = 0;
        unsigned minor_number = 0;
        unsigned long inode = 0;
        if (std::sscanf(line.data(), "%*d: %15s %*s %*s %ld %x:%x:%lu", kind.data(), &pid,
                        &major_number, &minor_number, &inode) == 5 &&
            std::string_view(kind.data()) == "FLOCK" && inode == status.st_ino &&
            makedev(major_number, minor_number) == status.st_dev) {
            owner = pid;
        }
    }
    std::fclose(locks);
    return owner;
}

/// Slaves of UNIX98 pseudo-terminals (major numbers 136 to 143 of the kernel's devices.txt).
bool is_pseudo_terminal(const struct stat& status) {
    const unsigned number = major(status.st_rdev);
    return number >= 136 && number <= 143;
}

Result<void> lock(int fd, const std::string& device) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        return system_error(device, errno);
    }
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const long owner = lock_owner(status);
        return fail(Errc::ReaderBusy,
                    device + " is locked by " +
                        (owner > 0 ? "process " + std::to_string(owner) : "another process"));
    }
    // A pseudo-terminal keeps the flag as long as its master lives: nobody, not even we, could open
    // it again.
    if (!is_pseudo_terminal(status) && ::ioctl(fd, TIOCEXCL) != 0) {
        return system_error(device, errno);
    }
    return {};
}

Result<void> make_raw(int fd, const std::string& device, speed_t speed) {
    termios line{};
    if (::tcgetattr(fd, &line) != 0) {
        return system_error(device, errno);
    }
    ::cfmakeraw(&line);
    line.c_cflag &= ~static_cast<tcflag_t>(CRTSCTS | CSTOPB);
    line.c_cflag |= CLOCAL | CREAD;
    line.c_iflag &= ~static_cast<tcflag_t>(IXOFF | IXANY);
    line.c_cc[VMIN] = 1;
    line.c_cc[VTIME] = 0;
    if (::cfsetispeed(&line, speed) != 0 || ::cfsetospeed(&line, speed) != 0 ||
        ::tcsetattr(fd, TCSANOW, &line) != 0) {
        return fail(Errc::InvalidArgument, device + " does not take this speed");
    }
    ::tcflush(fd, TCIOFLUSH);
    return {};
}

} // namespace

bool is_at_speed(unsigned baud) {
    return std::ranges::find(kSpeeds, baud, &Speed::baud) != kSpeeds.end();
}

Result<UniqueFd> open_at_tty(const std::string& device, unsigned baud) {
    const auto* speed = std::ranges::find(kSpeeds, baud, &Speed::baud);
    if (speed == kSpeeds.end()) {
        return fail(Errc::InvalidArgument,
                    std::to_string(baud) + " baud is not a speed of this system; try 115200");
    }
    // O_NONBLOCK: a line without carrier must not hold us up; O_NOCTTY: its hang-up must not kill
    // us.
    UniqueFd tty(::open(device.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    if (!tty.valid()) {
        return system_error(device, errno);
    }
    if (::isatty(tty.get()) != 1) {
        return fail(Errc::NoReader, device + " is not a tty");
    }
    MTKEY_CHECK(lock(tty.get(), device));
    MTKEY_CHECK(make_raw(tty.get(), device, speed->constant));
    return tty;
}

} // namespace mtkey::uicc
