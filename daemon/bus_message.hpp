// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sdbus-c++/sdbus-c++.h>

struct sd_bus_message;

// What sd-bus knows of a message and sdbus-c++ 1.2 does not show.
namespace mtkey::daemon {

[[nodiscard]] sd_bus_message* raw_message(const sdbus::Message& message); ///< borrowed

/// The caller lets polkit ask its user.
[[nodiscard]] bool allows_interaction(const sdbus::Message& message);

/// As much of a call as its answer needs. The call itself keeps all descriptors that came with it,
/// those too that nobody asked for, and an answer may take minutes.
[[nodiscard]] sdbus::MethodCall without_load(const sdbus::MethodCall& call);

} // namespace mtkey::daemon
