// SPDX-License-Identifier: Apache-2.0
#include "plugins/serial/tty.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace mtkey::plugins::serial {
namespace {

struct Speed {
    std::string_view baud;
    speed_t constant;
};
constexpr std::array kSpeeds{
    Speed{"1200", B1200},       Speed{"2400", B2400},       Speed{"4800", B4800},
    Speed{"9600", B9600},       Speed{"19200", B19200},     Speed{"38400", B38400},
    Speed{"57600", B57600},     Speed{"115200", B115200},   Speed{"230400", B230400},
    Speed{"460800", B460800},   Speed{"500000", B500000},   Speed{"576000", B576000},
    Speed{"921600", B921600},   Speed{"1000000", B1000000}, Speed{"1152000", B1152000},
    Speed{"1500000", B1500000}, Speed{"2000000", B2000000}, Speed{"3000000", B3000000},
    Speed{"4000000", B4000000},
};

class OpenTty {
public:
    explicit OpenTty(int fd) : fd_(fd) {}
    OpenTty(const OpenTty&) = delete;
    OpenTty& operator=(const OpenTty&) = delete;
    ~OpenTty() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    [[nodiscard]] int get() const { return fd_; }
    int release() {
        const int fd = fd_;
        fd_ = -1;
        return fd;
    }

private:
    int fd_;
};

std::string remedy_of(int code) {
    switch (code) {
    case ENOENT:
        return "no such device; waiting until it appears";
    case EACCES:
    case EPERM:
        return "no permission; add the user to the group of the tty (dialout)";
    case EBUSY:
        return "another program holds it exclusively; end that program";
    case EIO:
        return "the line is dead; waiting until it comes back";
    default:
        return std::strerror(code);
    }
}

/// PID of the holder of a flock on this device, for the message; 0 = not found (it may be in
/// another PID namespace).
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

/// flock is seen by those that ask for it. TIOCEXCL would stop more programs, but it stays on the
/// tty while anybody has it open, and we open it again after each connection: we would lock
/// ourselves out.
std::expected<void, std::string> lock(int fd, const TtySettings& settings) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
        return std::unexpected(settings.device + ": " + std::strerror(errno));
    }
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const long owner = lock_owner(status);
        return std::unexpected(
            settings.device + " is locked by " +
            (owner > 0 ? "process " + std::to_string(owner) : "another process") +
            "; end it, or set exclusive = false on both sides");
    }
    return {};
}

std::expected<void, std::string> make_raw(int fd, const TtySettings& settings) {
    termios line{};
    if (::tcgetattr(fd, &line) != 0) {
        return std::unexpected(settings.device + ": " + remedy_of(errno));
    }
    ::cfmakeraw(&line);
    line.c_cflag &= ~static_cast<tcflag_t>(CRTSCTS | CSTOPB);
    line.c_cflag |= CLOCAL | CREAD;
    line.c_iflag &= ~static_cast<tcflag_t>(IXOFF | IXANY);
    line.c_cc[VMIN] = 1;
    line.c_cc[VTIME] = 0;
    if (::cfsetispeed(&line, settings.speed) != 0 || ::cfsetospeed(&line, settings.speed) != 0 ||
        ::tcsetattr(fd, TCSANOW, &line) != 0) {
        return std::unexpected(settings.device + " does not take this speed; check baud");
    }
    // tcsetattr(3) succeeds when any of it could be done.
    termios is{};
    if (::tcgetattr(fd, &is) != 0) {
        return std::unexpected(settings.device + ": " + remedy_of(errno));
    }
    if (const std::string problem = difference(line, is); !problem.empty()) {
        return std::unexpected(settings.device + " " + problem);
    }
    return {};
}

} // namespace

std::string difference(const termios& wanted, const termios& is) {
    const auto differs = [](tcflag_t a, tcflag_t b, tcflag_t mask) {
        return ((a ^ b) & mask) != 0;
    };
    if (::cfgetospeed(&wanted) != ::cfgetospeed(&is)) {
        const auto* speed = std::ranges::find(kSpeeds, ::cfgetospeed(&is), &Speed::constant);
        return "does not take this speed; check baud" +
               (speed == kSpeeds.end() ? "" : ", it stays at " + std::string(speed->baud));
    }
    if (differs(wanted.c_cflag, is.c_cflag, CSIZE | PARENB | CSTOPB | CRTSCTS)) {
        return "does not take 8 data bits, no parity, one stop bit, no flow control";
    }
    constexpr tcflag_t kInput = ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXOFF | PARMRK;
    if (differs(wanted.c_iflag, is.c_iflag, kInput) || differs(wanted.c_oflag, is.c_oflag, OPOST) ||
        differs(wanted.c_lflag, is.c_lflag, ECHO | ICANON | ISIG | IEXTEN)) {
        return "does not become raw: it would change octets";
    }
    return "";
}

speed_t speed_constant(const std::string& baud) {
    const auto* found = std::ranges::find(kSpeeds, baud, &Speed::baud);
    return found == kSpeeds.end() ? B0 : found->constant;
}

std::expected<int, std::string> open_tty(const TtySettings& settings) {
    // O_NONBLOCK: a line without carrier must not hold us up; O_NOCTTY: its hang-up must not kill
    // us.
    OpenTty tty(::open(settings.device.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    if (tty.get() < 0) {
        return std::unexpected(settings.device + ": " + remedy_of(errno));
    }
    if (::isatty(tty.get()) != 1) {
        return std::unexpected(settings.device + " is not a tty");
    }
    if (settings.exclusive) {
        if (auto locked = lock(tty.get(), settings); !locked) {
            return std::unexpected(locked.error());
        }
    }
    // Input that waits is not flushed: it may be the peer's first message; older octets are skipped
    // by the framing.
    if (auto raw = make_raw(tty.get(), settings); !raw) {
        return std::unexpected(raw.error());
    }
    return tty.release();
}

} // namespace mtkey::plugins::serial
