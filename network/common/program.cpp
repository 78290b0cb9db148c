// SPDX-License-Identifier: Apache-2.0
#include "network/common/program.hpp"

#include "base/steps.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>

namespace mtkey::network {

sigset_t block_end_signals() {
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGINT);
    pthread_sigmask(SIG_BLOCK, &end, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return end;
}

Result<void> use_steps_fd(int fd) {
    if (fd < 0) {
        return {};
    }
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags < 0 || ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0) {
        return fail(Errc::InvalidArgument,
                    "--steps-fd " + std::to_string(fd) + ": " + std::strerror(errno));
    }
    set_step_fd(fd);
    return {};
}

} // namespace mtkey::network
