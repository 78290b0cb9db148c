// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sdbus-c++/sdbus-c++.h>
#include <string>

namespace mtkey::tools {

/// How a command prints and how long it waits.
struct Output {
    bool json = false;
    unsigned timeout_seconds = 60;
    bool ask_password = true; ///< polkit may ask the user
};

// Each prints its result and returns the exit status. Throw sdbus::Error.
int show_status(sdbus::IConnection& connection, const Output& output);
int bootstrap(sdbus::IConnection& connection, const Output& output, bool force,
              const std::string& naf);
int list_devices(sdbus::IConnection& connection, const Output& output);
int forget_device(sdbus::IConnection& connection, const Output& output,
                  const std::string& device_id);
/// PIN1 from the terminal without echo, or from standard input.
int send_pin(sdbus::IConnection& connection, const Output& output);
/// 1 when the file is not as it was written, or was set aside since the daemon's start.
int store_verify(sdbus::IConnection& connection, const Output& output);
int store_info(sdbus::IConnection& connection, const Output& output);
int store_forget_all(sdbus::IConnection& connection, const Output& output);
int store_rekey(sdbus::IConnection& connection, const Output& output);
int store_export_report(sdbus::IConnection& connection, const Output& output);
int list_nafs(sdbus::IConnection& connection, const Output& output);
/// One line per event until SIGINT or SIGTERM, or until the bus goes away.
int monitor(sdbus::IConnection& connection, const Output& output);

} // namespace mtkey::tools
