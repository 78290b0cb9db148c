// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/secret.hpp"

namespace mtkey::tools {

/// The whole program; its exit status.
[[nodiscard]] int run_command_line(int argc, char** argv);

} // namespace mtkey::tools
