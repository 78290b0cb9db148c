// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/log.hpp"
#include "base/result.hpp"
#include "network/bsf/program.hpp"
#include "network/bsf/subscriber_commands.hpp"

#include <variant>

namespace mtkey::bsf {

enum class Action { Serve, Add, List, Remove, Import };

struct CommandLine {
    Action action = Action::Serve;
    Options serve;
    LogLevel level = LogLevel::Info;
    SubscriberOptions subscriber;
};

/// What is to be done; or, when nothing is left to do (--help, --fault list) or the line is wrong
/// (said on stderr), the exit status.
Result<std::variant<CommandLine, int>> parse_command_line(int argc, const char* const* argv);

} // namespace mtkey::bsf
