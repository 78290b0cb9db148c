// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.hpp"
#include "base/log.hpp"
#include "tools/mtkey-card/application.hpp"
#include "tools/mtkey-card/atr_text.hpp"
#include "tools/mtkey-card/commands.hpp"

#include <iostream>
#include <nlohmann/json.hpp>

namespace mtkey::tools {
namespace {
using nlohmann::json;

/// A refusal of the card is part of the picture; a card that has gone is not.
bool is_refusal(const Error& error) {
    return error.code == Errc::PinRequired || error.code == Errc::NotSupportedByCard ||
           (error.code == Errc::CardFailed && error.detail >= 0x6000 && error.detail <= 0x9FFF);
}

/// Decoded, or {"error": ...}, or null when the card has no such file.
Document read_known(Card& card, const KnownFile& file) {
    Bytes path;
    if (file.home == Home::MasterFile) {
        path = {0x3F, 0x00};
    }
    append_u16(path, file.identifier);
    const auto selected = MTKEY_TRY(select_path(card.channel(), path));
    if (!selected.found()) {
        return json();
    }
    const auto content = read_selected(card.channel(), selected.fcp, std::string(file.name));
    if (!content && is_refusal(content.error())) {
        return json{{"error", info(content.error().code).name},
                    {"message", describe(content.error())}};
    }
    return decode(file.coding, MTKEY_TRY(content));
}

Document read_known(Card& card, std::string_view name, Home home) {
    const auto* file = find_known_file(name, home);
    return file == nullptr ? json() : read_known(card, *file);
}

json masked(const json& identity, bool show) {
    return identity.is_string() && !show ? json(masked_identity(identity.get<std::string>()))
                                         : identity;
}

Document describe_application(Card& card, const Options& options, const uicc::DirEntry& entry) {
    json out{{"kind", kind_name(entry.kind)},
             {"aid", to_hex(entry.aid)},
             {"label", printable(entry.label)}};
    const auto application = open_application(card, options, entry);
    if (!application) {
        if (!is_refusal(application.error())) {
            return std::unexpected(application.error());
        }
        out["error"] = describe(application.error());
        return out;
    }
    out["pins"] = MTKEY_TRY(pins_of(card, *application));
    const auto home = application->home();
    if (entry.kind == uicc::DirEntry::Kind::Usim) {
        out["imsi"] = masked(MTKEY_TRY(read_known(card, "IMSI", home)), options.show_identity);
        out["services"] = MTKEY_TRY(read_known(card, "UST", home));
    } else if (entry.kind == uicc::DirEntry::Kind::Isim) {
        out["impi"] = masked(MTKEY_TRY(read_known(card, "IMPI", home)), options.show_identity);
        out["services"] = MTKEY_TRY(read_known(card, "IST", home));
    } else {
        return out;
    }
    const auto ad = MTKEY_TRY(read_known(card, "AD", home));
    out["mnc_length"] = ad.is_object() && ad.contains("mnc_length") ? ad["mnc_length"] : json();
    out["naf_key_centers"] = MTKEY_TRY(read_known(card, "NAFKCA", home));
    return out;
}

std::string text_of(const json& value) {
    if (value.is_null()) {
        return "-";
    }
    if (value.is_object() && value.contains("message")) {
        return "(" + value["message"].get<std::string>() + ")";
    }
    return value.is_string() ? value.get<std::string>() : value.dump();
}

void show_services(const json& services) {
    if (!services.is_array()) {
        std::cout << "    services    " << text_of(services) << "\n";
        return;
    }
    std::cout << "    services    " << services.size();
    const char* separator = ": ";
    for (const auto& service : services) {
        if (!service["name"].is_null()) {
            std::cout << separator << service["number"] << " " << text_of(service["name"]);
            separator = ", ";
        }
    }
    std::cout << "\n";
}
} // namespace

Document readers() {
    auto out = json::array();
    for (const auto& reader : MTKEY_TRY(list_reader_states())) {
        out.push_back({{"name", reader.name},
                       {"card", reader.mute      ? "mute"
                                : reader.present ? "present"
                                                 : "none"},
                       {"in_use", reader.in_use},
                       {"atr", to_hex(reader.atr)}});
    }
    return json{{"readers", out}};
}

void show_readers(const json& document) {
    if (document["readers"].empty()) {
        std::cout << "no reader; connect one or check that pcscd runs\n";
    }
    for (const auto& reader : document["readers"]) {
        std::cout << text_of(reader["name"]) << "\n    card " << text_of(reader["card"])
                  << (reader["in_use"].get<bool>() ? ", in use by some program" : "") << "\n";
        if (reader["atr"] != "") {
            std::cout << "    ATR  " << text_of(reader["atr"]) << "\n";
        }
    }
}

Document card_info(Card& card, const Options& options) {
    json out{{"place", card.place()}, {"access", card.access()}, {"atr", atr_document(card.atr())}};
    out["iccid"] =
        masked(MTKEY_TRY(read_known(card, "ICCID", Home::MasterFile)), options.show_identity);
    auto applications = json::array();
    for (const auto& entry : MTKEY_TRY(uicc::list_applications(card.channel()))) {
        applications.push_back(MTKEY_TRY(describe_application(card, options, entry)));
    }
    out["applications"] = std::move(applications);
    return out;
}

void show_info(const json& document) {
    std::cout << "place   " << text_of(document["place"]) << "\naccess  "
              << text_of(document["access"]) << "\n";
    show_atr(document["atr"]);
    std::cout << "ICCID   " << text_of(document["iccid"]) << "\n";
    for (const auto& one : document["applications"]) {
        std::cout << text_of(one["kind"]) << "    " << text_of(one["aid"]) << " \""
                  << text_of(one["label"]) << "\"\n";
        if (one.contains("error")) {
            std::cout << "    " << text_of(one["error"]) << "\n";
            continue;
        }
        for (const auto& pin : one["pins"]) {
            std::cout << "    " << text_of(pin["name"]) << " (" << pin["reference"] << ")    "
                      << text_of(pin["state"]) << ", attempts left "
                      << text_of(pin["attempts_left"]) << "\n";
        }
        for (const auto* identity : {"imsi", "impi"}) {
            if (one.contains(identity)) {
                std::cout << "    " << identity << "        " << text_of(one[identity])
                          << ", MNC length " << text_of(one["mnc_length"]) << "\n";
            }
        }
        if (one.contains("services")) {
            show_services(one["services"]);
            std::cout << "    EF_NAFKCA   " << text_of(one["naf_key_centers"]) << "\n";
        }
    }
}

} // namespace mtkey::tools
