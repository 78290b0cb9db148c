// SPDX-License-Identifier: Apache-2.0
#include "base/file.hpp"
#include "base/unique_fd.hpp"
#include "tools/mtkey-card/options.hpp"

#include <cerrno>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

namespace mtkey::tools {
namespace {
constexpr std::size_t kLongestLine = 64;

/// Owns the terminal's silence. A signal that ends us would leave it silent: those wait.
class NoEcho {
public:
    explicit NoEcho(int fd) : fd_(fd) {
        ::tcgetattr(fd_, &before_);
        auto silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
        ::tcsetattr(fd_, TCSAFLUSH, &silent);
    }
    NoEcho(const NoEcho&) = delete;
    NoEcho& operator=(const NoEcho&) = delete;
    ~NoEcho() { ::tcsetattr(fd_, TCSAFLUSH, &before_); }

private:
    int fd_;
    termios before_{};
};

SecretBytes first_line(ByteView octets) {
    std::size_t end = 0;
    while (end < octets.size() && octets[end] != '\n' && octets[end] != '\r') {
        ++end;
    }
    return SecretBytes(octets.first(end));
}
} // namespace

Result<SecretBytes> ask_pin_on_terminal(const std::string& question) {
    const UniqueFd terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC));
    if (!terminal.valid()) {
        return fail(Errc::PinRequired, "no terminal to ask for it; use --pin-fd");
    }
    SecretBytes line(kLongestLine);
    ssize_t got = 0;
    {
        const NoEcho silence(terminal.get());
        MTKEY_CHECK(write_all(terminal.get(), as_octets(question)));
        do {
            got = ::read(terminal.get(), line.reveal_writable().data(), line.size());
        } while (got < 0 && errno == EINTR);
    }
    MTKEY_CHECK(write_all(terminal.get(), as_octets("\n")));
    if (got <= 0) {
        return fail(Errc::Cancelled, "no PIN was given");
    }
    return first_line(line.reveal().first(static_cast<std::size_t>(got)));
}

Result<SecretBytes> read_pin_fd(int fd) {
    const auto octets = MTKEY_TRY(read_secret_fd(fd, kLongestLine));
    return first_line(octets.reveal());
}

} // namespace mtkey::tools
