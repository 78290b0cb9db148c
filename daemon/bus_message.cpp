// SPDX-License-Identifier: Apache-2.0
#include "daemon/bus_message.hpp"

#include <systemd/sd-bus.h>

namespace mtkey::daemon {
namespace {

/// The message's pointer is a protected member.
struct OpenMessage : sdbus::Message {
    static constexpr auto pointer = &OpenMessage::msg_;
};

/// A sealed call with the same sender and serial; nothing when there is no memory for it.
sd_bus_message* stand_in(sd_bus_message* call) {
    std::uint64_t serial = 0;
    sd_bus_message* out = nullptr;
    if (sd_bus_message_get_cookie(call, &serial) < 0 ||
        sd_bus_message_new_method_call(sd_bus_message_get_bus(call), &out, nullptr,
                                       sd_bus_message_get_path(call), nullptr,
                                       sd_bus_message_get_member(call)) < 0) {
        return nullptr;
    }
    const char* sender = sd_bus_message_get_sender(call);
    if ((sender != nullptr && sd_bus_message_set_sender(out, sender) < 0) ||
        sd_bus_message_set_expect_reply(out, sd_bus_message_get_expect_reply(call)) < 0 ||
        sd_bus_message_seal(out, serial, 0) < 0) {
        return sd_bus_message_unref(out);
    }
    return out;
}

} // namespace

sd_bus_message* raw_message(const sdbus::Message& message) {
    return static_cast<sd_bus_message*>(message.*OpenMessage::pointer);
}

bool allows_interaction(const sdbus::Message& message) {
    return sd_bus_message_get_allow_interactive_authorization(raw_message(message)) > 0;
}

sdbus::MethodCall without_load(const sdbus::MethodCall& call) {
    sdbus::MethodCall out = call;
    if (auto* slim = stand_in(raw_message(call))) {
        sd_bus_message_unref(raw_message(out));
        out.*OpenMessage::pointer = slim;
    }
    return out;
}

} // namespace mtkey::daemon
