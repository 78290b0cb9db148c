// SPDX-License-Identifier: Apache-2.0
#include "uicc/pin.hpp"
#include "base/encoding.hpp"
#include "tools/mtkey-card/application.hpp"
#include "tools/mtkey-card/commands.hpp"

#include <iostream>
#include <nlohmann/json.hpp>

namespace mtkey::tools {
namespace {
using nlohmann::json;

/// The PIN is asked by the command itself.
Options without_pin(const Options& options) {
    auto out = options;
    out.pin = nullptr;
    return out;
}
} // namespace

Document pin_status(Card& card, const Options& options) {
    const auto application = MTKEY_TRY(open_application(card, without_pin(options)));
    return json{{"application", kind_name(application.entry.kind)},
                {"aid", to_hex(application.entry.aid)},
                {"pins", MTKEY_TRY(pins_of(card, application))}};
}

void show_pins(const json& document) {
    std::cout << document["application"].get<std::string>() << " "
              << document["aid"].get<std::string>() << "\n";
    for (const auto& pin : document["pins"]) {
        std::cout << "    " << pin["name"].get<std::string>() << " (reference " << pin["reference"]
                  << "): " << pin["state"].get<std::string>();
        if (!pin["attempts_left"].is_null()) {
            std::cout << ", attempts left " << pin["attempts_left"];
        }
        std::cout << "\n";
    }
}

Document pin_verify(Card& card, const Options& options, std::uint8_t reference, unsigned floor) {
    const auto application = MTKEY_TRY(open_application(card, without_pin(options)));
    if (reference == 0) {
        const auto& fcp = application.fcp;
        reference = fcp.has_pin_status ? uicc::required_pin(fcp).value_or(0) : std::uint8_t{1};
    }
    json out{{"application", kind_name(application.entry.kind)}, {"reference", reference}};
    if (reference == 0) {
        out["result"] = "no PIN is wanted";
        return out;
    }
    Result<void> given;
    const auto before =
        uicc::satisfy_pin(card.channel(), reference, floor, [&]() -> std::optional<SecretBytes> {
            auto pin = options.pin();
            if (!pin) {
                given = std::unexpected(pin.error());
                return std::nullopt;
            }
            return *std::move(pin);
        });
    MTKEY_CHECK(given);
    const auto attempts = MTKEY_TRY(before);
    out["result"] = attempts ? "verified" : "no PIN is wanted";
    out["attempts_before"] = attempts ? json(*attempts) : json();
    return out;
}

void show_verified(const json& document) {
    std::cout << document["application"].get<std::string>() << ": "
              << document["result"].get<std::string>() << "\n";
}

} // namespace mtkey::tools
