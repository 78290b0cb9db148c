// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_modem/pty.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

namespace mtkey::testbed {
namespace {

std::unexpected<Error> failed(const std::string& what) {
    return fail(Errc::IoFailed, what + ": " + std::strerror(errno),
                static_cast<std::uint32_t>(errno));
}

/// Replaced at once: a user that looks for it finds the old one or the new one.
Result<void> point(const std::string& link, const std::string& to) {
    const std::string draft = link + ".new";
    ::unlink(draft.c_str());
    if (::symlink(to.c_str(), draft.c_str()) != 0 || ::rename(draft.c_str(), link.c_str()) != 0) {
        return failed(link);
    }
    return {};
}

} // namespace

Result<Pty> Pty::open(const std::string& link) {
    Pty out;
    out.master_.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    std::array<char, 64> name{};
    if (!out.master_.valid() || ::grantpt(out.master_.get()) != 0 ||
        ::unlockpt(out.master_.get()) != 0 ||
        ::ptsname_r(out.master_.get(), name.data(), name.size()) != 0) {
        return failed("pseudo terminal");
    }
    out.path_ = name.data();
    out.slave_.reset(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    termios settings{};
    if (!out.slave_.valid() || ::tcgetattr(out.slave_.get(), &settings) != 0) {
        return failed(out.path_);
    }
    ::cfmakeraw(&settings); // before anybody opens it: a cooked terminal echoes
    if (::tcsetattr(out.slave_.get(), TCSANOW, &settings) != 0) {
        return failed(out.path_);
    }
    if (!link.empty()) {
        MTKEY_CHECK(point(link, out.path_));
    }
    return out;
}

} // namespace mtkey::testbed
