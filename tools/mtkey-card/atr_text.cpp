// SPDX-License-Identifier: Apache-2.0
#include "tools/mtkey-card/atr_text.hpp"

#include "base/encoding.hpp"
#include "uicc/atr.hpp"

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

namespace mtkey::tools {
namespace {
using nlohmann::json;

const char* name_of(uicc::Atr::Check check) {
    switch (check) {
    case uicc::Atr::Check::Right:
        return "right";
    case uicc::Atr::Check::Wrong:
        return "wrong";
    case uicc::Atr::Check::Missing:
        return "missing";
    case uicc::Atr::Check::NotWanted:
        break;
    }
    return "not wanted";
}

json capabilities_document(const uicc::CardCapabilities& card) {
    return {{"select_by_full_name", card.select_by_full_name},
            {"select_by_partial_name", card.select_by_partial_name},
            {"select_by_path", card.select_by_path},
            {"select_by_identifier", card.select_by_identifier},
            {"short_identifiers", card.short_identifiers},
            {"records", card.records},
            {"command_chaining", card.command_chaining},
            {"extended_length", card.extended_length},
            {"logical_channels", card.logical_channels}};
}

json number_or_null(unsigned value) {
    return value == 0 ? json() : json(value);
}
} // namespace

json atr_document(ByteView octets) {
    if (octets.empty()) {
        return {};
    }
    json out{{"raw", to_hex(octets)}};
    const auto atr = uicc::parse_atr(octets);
    if (!atr) {
        out["error"] = atr.error().context;
        return out;
    }
    auto interface = json::object();
    for (const auto& one : atr->interface_octets) {
        interface[one.name()] = to_hex({&one.value, 1});
    }
    out["convention"] = atr->inverse ? "inverse" : "direct";
    out["interface"] = std::move(interface);
    out["protocols"] = atr->protocols;
    out["specific_protocol"] = atr->specific_protocol ? json(*atr->specific_protocol) : json();
    out["clock_divider"] = number_or_null(atr->clock_divider);
    out["baud_divider"] = number_or_null(atr->baud_divider);
    out["extra_guard_time"] = atr->extra_guard_time;
    if (atr->offers(0)) {
        out["waiting_integer"] = atr->waiting_integer;
    }
    if (atr->offers(1)) {
        out["information_field"] = atr->information_field;
        out["redundancy_code"] = atr->crc.value_or(false) ? "crc" : "lrc";
    }
    out["voltages"] = atr->voltages;
    out["historical"] = to_hex(atr->historical);
    out["capabilities"] = atr->capabilities ? capabilities_document(*atr->capabilities) : json();
    out["check"] = name_of(atr->check);
    return out;
}

void show_atr(const json& document) {
    if (document.is_null()) {
        std::cout << "ATR     not told (a modem)\n";
        return;
    }
    std::cout << "ATR     " << document["raw"].get<std::string>() << "\n";
    if (document.contains("error")) {
        std::cout << "        makes no sense: " << document["error"].get<std::string>() << "\n";
        return;
    }
    std::cout << "        " << document["convention"].get<std::string>()
              << " convention, protocols";
    for (const auto& protocol : document["protocols"]) {
        std::cout << " T=" << protocol;
    }
    std::cout << ", F/D " << document["clock_divider"] << "/" << document["baud_divider"]
              << ", check octet " << document["check"].get<std::string>() << "\n        ";
    for (const auto& [name, value] : document["interface"].items()) {
        std::cout << name << "=" << value.get<std::string>() << " ";
    }
    const auto historical = document["historical"].get<std::string>();
    std::cout << "historical " << (historical.empty() ? "-" : historical) << "\n";
    const auto& voltages = document["voltages"];
    if (!voltages.empty()) {
        std::cout << "        voltages";
        for (const auto& one : voltages) {
            std::cout << " " << one.get<std::string>() << (one == voltages.back() ? "\n" : ",");
        }
    }
    if (document["capabilities"].is_object()) {
        std::cout << "        can";
        for (const auto& [name, value] : document["capabilities"].items()) {
            if (value.is_boolean() && value.get<bool>()) {
                auto words = name;
                std::ranges::replace(words, '_', ' ');
                std::cout << " " << words << ",";
            }
        }
        std::cout << " " << document["capabilities"]["logical_channels"] << " logical channels\n";
    }
}

} // namespace mtkey::tools
