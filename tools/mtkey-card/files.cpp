// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.hpp"
#include "tools/mtkey-card/application.hpp"
#include "tools/mtkey-card/commands.hpp"
#include "tools/mtkey-card/redact.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

namespace mtkey::tools {
namespace {
using nlohmann::json;

std::string hex_identifier(std::uint16_t identifier) {
    Bytes octets;
    append_u16(octets, identifier);
    return to_hex(octets);
}

json file_document(const uicc::Fcp& fcp) {
    json out{{"structure", structure_name(fcp.structure)},
             {"size", fcp.file_size ? json(*fcp.file_size) : json()}};
    if (fcp.record_length != 0) {
        out["record_length"] = fcp.record_length;
        out["records"] = fcp.record_count;
    }
    return out;
}

Document list_home(Card& card, Home home) {
    auto out = json::array();
    for (const auto& file : known_files()) {
        if (file.home != home) {
            continue;
        }
        Bytes path;
        if (home == Home::MasterFile) {
            path = {0x3F, 0x00};
        }
        append_u16(path, file.identifier);
        const auto selected = MTKEY_TRY(select_path(card.channel(), path));
        if (selected.found()) {
            auto one = file_document(selected.fcp);
            one["name"] = file.name;
            one["identifier"] = hex_identifier(file.identifier);
            out.push_back(std::move(one));
        }
    }
    return out;
}

/// What `read` was told.
struct Wanted {
    Bytes path;
    std::string name;
    bool in_application = false;
    const KnownFile* known = nullptr;
};

Result<Wanted> parse_wanted(const std::string& text, Home preferred) {
    Wanted wanted{{}, text, false, find_known_file(text, preferred)};
    if (wanted.known != nullptr) {
        wanted.name = wanted.known->name;
        append_u16(wanted.path, wanted.known->identifier);
    } else {
        auto hex = text;
        std::erase(hex, '/');
        auto path = from_hex(hex);
        if (!path || path->size() < 2 || path->size() % 2 != 0) {
            return fail(Errc::InvalidArgument, "'" + text +
                                                   "' is neither the name of a file that "
                                                   "is known here nor identifiers like 3F00/2FE2");
        }
        wanted.path = *std::move(path);
    }
    const bool from_mf = wanted.path[0] == 0x3F;
    wanted.in_application = wanted.known != nullptr ? wanted.known->home != Home::MasterFile
                                                    : !from_mf && wanted.path[0] != 0x2F;
    if (!wanted.in_application && !from_mf) {
        wanted.path.insert(wanted.path.begin(), {0x3F, 0x00});
    }
    if (wanted.path.size() > 2 && wanted.path[0] == 0x7F && wanted.path[1] == 0xFF) {
        wanted.path.erase(wanted.path.begin(), wanted.path.begin() + 2); // the open application
    }
    if (wanted.known == nullptr) {
        const auto identifier = static_cast<std::uint16_t>(
            wanted.path[wanted.path.size() - 2] << 8 | wanted.path.back());
        const bool direct = wanted.path.size() == (wanted.in_application ? 2U : 4U);
        wanted.known =
            direct
                ? find_known_file(identifier, wanted.in_application ? preferred : Home::MasterFile)
                : nullptr;
    }
    return wanted;
}

void print_row(const json& file) {
    const auto number = [&](const char* key) {
        return file.contains(key) && file[key].is_number() ? std::to_string(file[key].get<int>())
                                                           : std::string("-");
    };
    std::printf("    %-14s %s  %-13s %6s octets", file["name"].get<std::string>().c_str(),
                file["identifier"].get<std::string>().c_str(),
                file["structure"].get<std::string>().c_str(), number("size").c_str());
    if (file.contains("records")) {
        std::printf("  %s records of %s", number("records").c_str(),
                    number("record_length").c_str());
    }
    std::printf("\n");
}
} // namespace

Document list_files(Card& card, const Options& options) {
    json out{{"place", card.place()}, {"mf", MTKEY_TRY(list_home(card, Home::MasterFile))}};
    auto applications = json::array();
    for (const auto& entry : MTKEY_TRY(uicc::list_applications(card.channel()))) {
        if (entry.kind == uicc::DirEntry::Kind::Other) {
            continue;
        }
        const auto application = MTKEY_TRY(open_application(card, options, entry));
        applications.push_back({{"kind", kind_name(entry.kind)},
                                {"aid", to_hex(entry.aid)},
                                {"files", MTKEY_TRY(list_home(card, application.home()))}});
    }
    out["applications"] = std::move(applications);
    return out;
}

void show_files(const json& document) {
    std::printf("MF\n");
    std::ranges::for_each(document["mf"], print_row);
    for (const auto& one : document["applications"]) {
        std::printf("%s %s\n", one["kind"].get<std::string>().c_str(),
                    one["aid"].get<std::string>().c_str());
        std::ranges::for_each(one["files"], print_row);
    }
}

Document read_file(Card& card, const Options& options, const std::string& file) {
    const auto preferred = options.application == "isim" ? Home::Isim : Home::Usim;
    const auto wanted = MTKEY_TRY(parse_wanted(file, preferred));
    if (wanted.in_application) {
        auto its_options = options;
        if (wanted.known != nullptr && wanted.known->home != preferred) {
            its_options.application = wanted.known->home == Home::Isim ? "isim" : "usim";
        }
        MTKEY_CHECK(open_application(card, its_options));
    }
    const auto selected = MTKEY_TRY(select_path(card.channel(), wanted.path));
    if (!selected.found()) {
        return fail(Errc::NotFound, "the card has no " + wanted.name, selected.sw);
    }
    auto content = MTKEY_TRY(read_selected(card.channel(), selected.fcp, wanted.name));
    const auto& path = wanted.path;
    const bool keys =
        is_key_file(static_cast<std::uint16_t>(path[path.size() - 2] << 8 | path.back()));
    const bool hidden = keys && !options.secrets;
    auto raw = json::array();
    for (const auto& one : content) {
        raw.push_back(hidden ? "redacted, " + std::to_string(one.size()) + " octets; --secrets"
                             : to_hex(one));
    }
    auto out = file_document(selected.fcp);
    out["name"] = wanted.name;
    out["path"] = to_hex(wanted.path);
    out["fcp"] = to_hex(selected.fcp_octets);
    out["raw"] = std::move(raw);
    if (keys) {
        std::ranges::for_each(content, [](Bytes& one) { wipe(one); });
    }
    out["decoded"] = wanted.known != nullptr ? decode(wanted.known->coding, content) : json();
    return out;
}

void show_file(const json& document) {
    std::cout << document["name"].get<std::string>() << " (" << document["path"].get<std::string>()
              << "), " << document["structure"].get<std::string>() << "\nFCP   "
              << document["fcp"].get<std::string>() << "\n";
    for (const auto& one : document["raw"]) {
        std::cout << "raw   " << one.get<std::string>() << "\n";
    }
    const auto& decoded = document["decoded"];
    if (decoded.is_array()) {
        for (const auto& one : decoded) {
            std::cout << "means " << (one.is_null() ? "(not used)" : one.dump()) << "\n";
        }
    } else if (!decoded.is_null()) {
        std::cout << "means " << (decoded.is_string() ? decoded.get<std::string>() : decoded.dump())
                  << "\n";
    }
}

} // namespace mtkey::tools
