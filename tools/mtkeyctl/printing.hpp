// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tools/mtkeyctl/commands.hpp"
#include "tools/mtkeyctl/objects.hpp"

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>

// What the commands share: how they call the daemon and how they print.
namespace mtkey::tools {

using nlohmann::json;

std::string time_text(const json& seconds);
/// A member as people read it; "-" for what is empty or not there.
std::string text(const json& object, const char* key);
void print_json(const json& value);
void print_problem(const json& owner);
/// polkit may ask the caller's user.
void allow_interaction(const sdbus::Message& message);

template <typename... Arguments>
sdbus::MethodReply call(sdbus::IConnection& connection, const Output& output,
                        const std::string& path, const std::string& interface,
                        const std::string& method, const Arguments&... arguments) {
    auto proxy = sdbus::createProxy(connection, kBusName, path);
    auto call = proxy->createMethodCall(interface, method);
    if (output.ask_password) {
        allow_interaction(call);
    }
    (call << ... << arguments);
    return proxy->callMethod(call, std::chrono::seconds(output.timeout_seconds));
}

} // namespace mtkey::tools
