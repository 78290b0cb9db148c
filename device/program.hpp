// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace mtkey::device {

struct Arguments {
    enum class Command { Establish, Status, Forget };
    Command command = Command::Establish;
    std::string config = "/etc/mtkeyd/device.toml";
    bool json = false;
    bool renew = false;
    std::string mt_id; ///< forget: empty = all
};

/// Runs one command, writes its result to stdout and gives the exit status. `cancel_fd` is
/// borrowed.
int run_command(const Arguments& arguments, int cancel_fd);

} // namespace mtkey::device
