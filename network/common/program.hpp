// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <csignal>

namespace mtkey::network {

/// SIGTERM and SIGINT, from now on seen by sigtimedwait() alone: threads that start later inherit
/// the mask.
sigset_t block_end_signals();
/// Steps go to this inherited descriptor; negative: nowhere.
Result<void> use_steps_fd(int fd);

} // namespace mtkey::network
