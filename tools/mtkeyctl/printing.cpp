// SPDX-License-Identifier: Apache-2.0
#include "tools/mtkeyctl/printing.hpp"

#include "base/clock.hpp"

#include <iostream>
#include <nlohmann/json.hpp>
#include <systemd/sd-bus.h>

namespace mtkey::tools {

std::string time_text(const json& seconds) {
    const auto value = seconds.get<std::uint64_t>();
    if (value == 0) {
        return "-";
    }
    return format_utc(UtcTime(std::chrono::seconds(static_cast<std::int64_t>(value))));
}

std::string text(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) {
        return "-";
    }
    const std::string value = found->is_string() ? found->get<std::string>() : found->dump();
    return value.empty() ? "-" : value;
}

void print_json(const json& value) {
    std::cout << value.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
}

void print_problem(const json& owner) {
    const auto found = owner.find("last_error");
    if (found != owner.end() && found->is_object()) {
        std::cout << "         " << text(*found, "message") << "\n";
    }
}

namespace {
/// sdbus-c++ 1.2 has no accessor for this header flag; the message pointer is a protected member.
struct OpenMessage : sdbus::Message {
    static void allow_interaction(const sdbus::Message& message) {
        auto* raw = static_cast<sd_bus_message*>(message.*(&OpenMessage::msg_));
        sd_bus_message_set_allow_interactive_authorization(raw, 1);
    }
};
} // namespace

void allow_interaction(const sdbus::Message& message) {
    OpenMessage::allow_interaction(message);
}

} // namespace mtkey::tools
