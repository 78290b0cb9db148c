// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/bus_limits.hpp"

struct sd_bus_message;
struct sd_bus_slot;
namespace sdbus {
class IConnection;
}

namespace mtkey::daemon {

/// Sees every call before any object does, and answers LimitsExceeded to a sender that calls too
/// often: what sd-bus and sdbus-c++ answer by themselves (properties, GetManagedObjects) costs the
/// others as well. Owns its place in the connection, which it must not outlive.
class CallFilter {
public:
    CallFilter(sdbus::IConnection& connection, const Clock& clock);
    ~CallFilter();
    CallFilter(const CallFilter&) = delete;
    CallFilter& operator=(const CallFilter&) = delete;

    [[nodiscard]] bool admit(sd_bus_message* call) noexcept;

private:
    CallRate own_;     ///< methods of our interfaces
    CallRate reading_; ///< those of org.freedesktop.DBus
    sd_bus_slot* slot_ = nullptr;
};

} // namespace mtkey::daemon
