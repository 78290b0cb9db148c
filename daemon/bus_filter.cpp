// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus_filter.hpp"

#include "daemon/bus_message.hpp"

#include <new>
#include <string_view>
#include <systemd/sd-bus.h>

namespace mtkey::daemon {
namespace {
// Each of our methods asks the bus, and polkit, and may ask a person. Reading is cheap: a client
// that reads property by property is no flood.
constexpr unsigned kOwnPerSecond = 20;
constexpr unsigned kOwnBurst = 40;
constexpr unsigned kReadingPerSecond = 500;
constexpr unsigned kReadingBurst = 1000;

int call_came(sd_bus_message* message, void* filter, sd_bus_error* /*error*/) {
    if (sd_bus_message_is_method_call(message, nullptr, nullptr) <= 0 ||
        static_cast<CallFilter*>(filter)->admit(message)) {
        return 0; // goes on
    }
    // Says nothing to whom wants no answer.
    sd_bus_reply_method_errorf(message, SD_BUS_ERROR_LIMITS_EXCEEDED, "too many calls; wait");
    return 1;
}
} // namespace

CallFilter::CallFilter(sdbus::IConnection& connection, const Clock& clock)
    : own_(clock, kOwnPerSecond, kOwnBurst), reading_(clock, kReadingPerSecond, kReadingBurst) {
    // sdbus-c++ shows its connection by nothing but the messages that it makes.
    const auto bus = sdbus::createProxy(connection, "org.freedesktop.DBus", "/");
    const auto message = bus->createMethodCall("org.freedesktop.DBus.Peer", "Ping");
    const int done =
        sd_bus_add_filter(sd_bus_message_get_bus(raw_message(message)), &slot_, &call_came, this);
    if (done < 0) {
        throw sdbus::Error("org.freedesktop.DBus.Error.NoMemory", "no filter on the connection");
    }
}

CallFilter::~CallFilter() {
    sd_bus_slot_unref(slot_);
}

bool CallFilter::admit(sd_bus_message* call) noexcept {
    const char* sender = sd_bus_message_get_sender(call);
    const char* interface = sd_bus_message_get_interface(call);
    if (sender == nullptr) {
        return true;
    }
    const bool reads =
        interface != nullptr && std::string_view(interface).starts_with("org.freedesktop.DBus.");
    try {
        return (reads ? reading_ : own_).admit(sender);
    } catch (const std::bad_alloc&) {
        return true; // it is not the sender's fault
    }
}

} // namespace mtkey::daemon
