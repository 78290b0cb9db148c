// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "device/key_center.hpp"
#include "device/procedure.hpp"
#include "transports/loader.hpp"

#include <chrono>
#include <string>

namespace mtkey::device {

/// device.toml, checked. device/device.toml.example explains each key.
struct Config {
    ProcedureSettings procedure;
    KeyCenterSettings key_center;
    transports::InstanceSettings transport;
    KeyPlace keys; ///< without the credentials' folder
    std::chrono::milliseconds total_limit{180'000};
    std::chrono::milliseconds link_limit{20'000};
};

Result<Config> load_config(const std::string& path);
Result<Config> parse_config(std::string_view text, const std::string& path);

} // namespace mtkey::device
