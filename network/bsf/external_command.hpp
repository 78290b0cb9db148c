// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace mtkey::bsf {

struct ExternalCommand {
    std::vector<std::string> arguments; ///< the first is an absolute path
    std::chrono::milliseconds limit{std::chrono::seconds(5)};
    std::size_t most_output = 2048; ///< octets
};

/// Runs it once, without a shell, in a process group of its own: `input` (4 KiB at most) on stdin,
/// what it writes to stdout is the result. It inherits our stderr and no other descriptor, an
/// environment of PATH alone, no blocked signals. When it returns nothing of the group, nor the
/// command itself, runs any more, but for what cannot be killed within a second. Blocks; safe from
/// several threads. Errors name the command: TimedOut, LimitExceeded, IoFailed (cannot be started,
/// exit status not 0; never what it wrote).
Result<SecretBytes> run_command(const ExternalCommand& command, ByteView input);

} // namespace mtkey::bsf
