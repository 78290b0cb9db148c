// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/log.hpp"
#include "base/result.hpp"
#include "network/bsf/faults.hpp"

#include <string>

namespace mtkey::bsf {

struct Options {
    std::string config;
    int steps_fd = -1;
    Faults faults{};
};

/// The whole program: serves until SIGTERM or SIGINT. Called once, from the main thread, before any
/// other exists.
Result<void> run(const Options& options, LogLevel level);

} // namespace mtkey::bsf
