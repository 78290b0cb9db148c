// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "daemon/config.hpp"

namespace mtkey::daemon {

/// Wires the daemon together and runs it until SIGTERM or SIGINT; the value is the exit status.
Result<int> run_service(const Config& config);

} // namespace mtkey::daemon
