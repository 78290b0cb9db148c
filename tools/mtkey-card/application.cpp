// SPDX-License-Identifier: Apache-2.0
#include "tools/mtkey-card/application.hpp"

#include "base/encoding.hpp"
#include "uicc/pin.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace mtkey::tools {
namespace {
constexpr std::uint8_t kApplicationPin = 0x01;
constexpr std::uint8_t kUniversalPin = 0x11;
constexpr unsigned kFloor = 2;

std::uint8_t wanted_reference(const uicc::Fcp& fcp) {
    return fcp.has_pin_status ? uicc::required_pin(fcp).value_or(0) : kApplicationPin;
}

Result<void> show_pin(Card& card, const Options& options, const uicc::Fcp& fcp) {
    const auto reference = wanted_reference(fcp);
    if (!options.pin || reference == 0) {
        return {};
    }
    Result<void> given;
    const auto satisfied =
        uicc::satisfy_pin(card.channel(), reference, kFloor, [&]() -> std::optional<SecretBytes> {
            auto pin = options.pin();
            if (!pin) {
                given = std::unexpected(pin.error());
                return std::nullopt;
            }
            return *std::move(pin);
        });
    MTKEY_CHECK(given);
    MTKEY_CHECK(satisfied);
    return {};
}

Result<uicc::DirEntry> choose(Card& card, const std::string& wanted) {
    const auto applications = MTKEY_TRY(uicc::list_applications(card.channel()));
    std::string there;
    for (const auto& entry : applications) {
        const auto aid = to_hex(entry.aid);
        if (kind_name(entry.kind) == wanted || (wanted.size() >= 10 && aid.starts_with(wanted))) {
            return entry;
        }
        there += (there.empty() ? "" : ", ") + kind_name(entry.kind) + " " + aid;
    }
    return fail(Errc::NotFound, "application '" + wanted +
                                    "' (EF_DIR has: " + (there.empty() ? "none" : there) + ")");
}

std::string pin_name(std::uint8_t reference) {
    if (reference == kUniversalPin) {
        return "universal PIN";
    }
    if (reference >= 0x01 && reference <= 0x08) {
        return "PIN1";
    }
    return reference >= 0x81 && reference <= 0x88 ? "PIN2" : "administrative";
}
} // namespace

Result<OpenApplication> open_application(Card& card, const Options& options,
                                         const uicc::DirEntry& entry) {
    const auto selected = MTKEY_TRY(select_aid(card.channel(), entry.aid));
    if (!selected.found()) {
        return fail(Errc::NotSupportedByCard,
                    "SELECT of " + kind_name(entry.kind) + " " + to_hex(entry.aid), selected.sw);
    }
    MTKEY_CHECK(show_pin(card, options, selected.fcp));
    return OpenApplication{entry, selected.fcp};
}

Result<OpenApplication> open_application(Card& card, const Options& options) {
    return open_application(card, options, MTKEY_TRY(choose(card, options.application)));
}

Result<nlohmann::json> pins_of(Card& card, const OpenApplication& application) {
    auto pins = application.fcp.pins;
    if (!application.fcp.has_pin_status) {
        pins.push_back({kApplicationPin, true});
    }
    auto out = nlohmann::json::array();
    for (const auto& pin : pins) {
        nlohmann::json one{{"reference", pin.reference},
                           {"name", pin_name(pin.reference)},
                           {"enabled", pin.enabled},
                           {"attempts_left", nullptr}};
        const auto state = uicc::query_pin(card.channel(), pin.reference);
        if (state) {
            switch (state->kind) {
            case uicc::PinState::Kind::Satisfied:
                one["state"] = pin.enabled ? "verified" : "off";
                break;
            case uicc::PinState::Kind::Wanted:
                // A PIN that is off still has its counter, and many cards tell it of one that is
                // verified.
                one["state"] = pin.enabled ? "on" : "off";
                one["attempts_left"] = state->attempts_left;
                break;
            case uicc::PinState::Kind::Unknown:
                one["state"] = "unknown";
                break;
            }
        } else if (state.error().code == Errc::PinBlocked) {
            one["state"] = "blocked";
            one["attempts_left"] = 0;
        } else if (state.error().code == Errc::PinFloor) {
            one["state"] = "not told";
        } else {
            return std::unexpected(state.error());
        }
        out.push_back(std::move(one));
    }
    return out;
}

} // namespace mtkey::tools
