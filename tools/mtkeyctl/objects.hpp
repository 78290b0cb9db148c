// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <sdbus-c++/sdbus-c++.h>
#include <string>

namespace mtkey::tools {

/// Path -> interface -> property -> value: what GetManagedObjects gives.
using Properties = std::map<std::string, sdbus::Variant>;
using Interfaces = std::map<std::string, Properties>;
using Objects = std::map<sdbus::ObjectPath, Interfaces>;

inline constexpr const char* kBusName = "org.mtkeyd1";
inline constexpr const char* kRootPath = "/org/mtkeyd1";

/// Errors: the daemon's own by name; NotReady when no daemon answers.
Error from_bus(const sdbus::Error& error);

/// Everything the daemon shows. Throws sdbus::Error.
Objects fetch(sdbus::IConnection& connection);

/// "GbaPolicy" -> "gba_policy": the words of D-Bus in the spelling of JSON.
std::string json_name(const std::string& dbus_name);
nlohmann::json to_json(const sdbus::Variant& value);
nlohmann::json to_json(const Properties& properties);

/// All objects with interface org.mtkeyd1.<name>, each with its "path".
nlohmann::json list(const Objects& objects, const std::string& name);
/// The whole state as one object: manager's properties, "uicc", "sessions", "devices", "nafs",
/// "transports".
nlohmann::json status(const Objects& objects);

} // namespace mtkey::tools
