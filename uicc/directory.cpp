// SPDX-License-Identifier: Apache-2.0
#include "uicc/directory.hpp"

#include "base/encoding.hpp"
#include "uicc/ef_parsers.hpp"
#include "uicc/files.hpp"
#include "uicc/status.hpp"

#include <algorithm>
#include <array>

namespace mtkey::uicc {
namespace {
constexpr unsigned kMostApplications = 32;
constexpr std::size_t kShortestAid = 5;
constexpr std::size_t kLongestAid = 16;
constexpr std::array<std::uint8_t, 7> kUsim{0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02};
constexpr std::array<std::uint8_t, 7> kIsim{0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x04};

bool starts_with(ByteView aid, ByteView prefix) {
    return aid.size() >= prefix.size() && std::ranges::equal(aid.first(prefix.size()), prefix);
}

const DirEntry* first_of(const std::vector<DirEntry>& applications, DirEntry::Kind kind) {
    const auto found = std::ranges::find(applications, kind, &DirEntry::kind);
    return found == applications.end() ? nullptr : &*found;
}

const DirEntry* find(const std::vector<DirEntry>& applications, const ApplicationChoice& choice) {
    switch (choice.kind) {
    case ApplicationChoice::Kind::Auto: {
        const auto* usim = first_of(applications, DirEntry::Kind::Usim);
        return usim != nullptr ? usim : first_of(applications, DirEntry::Kind::Isim);
    }
    case ApplicationChoice::Kind::Usim:
        return first_of(applications, DirEntry::Kind::Usim);
    case ApplicationChoice::Kind::Isim:
        return first_of(applications, DirEntry::Kind::Isim);
    case ApplicationChoice::Kind::Aid:
        break;
    }
    const auto found = std::ranges::find_if(applications, [&](const DirEntry& entry) {
        return entry.kind != DirEntry::Kind::Other && starts_with(entry.aid, choice.aid);
    });
    return found == applications.end() ? nullptr : &*found;
}

std::string_view name_of(ApplicationChoice::Kind kind) {
    switch (kind) {
    case ApplicationChoice::Kind::Usim:
        return "USIM";
    case ApplicationChoice::Kind::Isim:
        return "ISIM";
    case ApplicationChoice::Kind::Aid:
        return "USIM or ISIM with the configured AID";
    case ApplicationChoice::Kind::Auto:
        break;
    }
    return "USIM or ISIM";
}

/// What to ask for, in this order.
std::vector<ByteView> names_to_try(const ApplicationChoice& choice) {
    switch (choice.kind) {
    case ApplicationChoice::Kind::Usim:
        return {kUsim};
    case ApplicationChoice::Kind::Isim:
        return {kIsim};
    case ApplicationChoice::Kind::Aid:
        return {choice.aid};
    case ApplicationChoice::Kind::Auto:
        break;
    }
    return {kUsim, kIsim};
}
} // namespace

DirEntry::Kind kind_of_aid(ByteView aid) {
    if (starts_with(aid, kUsim)) {
        return DirEntry::Kind::Usim;
    }
    return starts_with(aid, kIsim) ? DirEntry::Kind::Isim : DirEntry::Kind::Other;
}

Result<ApplicationChoice> parse_application_choice(std::string_view text) {
    if (text == "auto") {
        return ApplicationChoice{};
    }
    if (text == "usim") {
        return ApplicationChoice{ApplicationChoice::Kind::Usim, {}};
    }
    if (text == "isim") {
        return ApplicationChoice{ApplicationChoice::Kind::Isim, {}};
    }
    auto aid = from_hex(text);
    if (!aid || aid->size() < kShortestAid || aid->size() > kLongestAid) {
        return fail(Errc::InvalidArgument, "an application is auto, usim, isim or an AID in hex");
    }
    return ApplicationChoice{ApplicationChoice::Kind::Aid, *std::move(aid)};
}

Result<std::vector<DirEntry>> list_applications(CardChannel& card) {
    std::vector<DirEntry> out;
    const auto records =
        MTKEY_TRY(read_records(card, Under::MasterFile, fid::kDir, kMostApplications));
    for (const auto& record : records.value_or(std::vector<Bytes>{})) {
        // A record that makes no sense hides no other one.
        auto entry = parse_dir_record(record);
        if (entry && *entry) {
            out.push_back(**std::move(entry));
        }
    }
    return out;
}

Result<DirEntry> choose_application(const std::vector<DirEntry>& applications,
                                    const ApplicationChoice& choice) {
    if (const auto* entry = find(applications, choice)) {
        return *entry;
    }
    return fail(Errc::NotSupportedByCard, "EF_DIR names no " + std::string(name_of(choice.kind)));
}

Result<DirEntry> probe_application(CardChannel& card, const ApplicationChoice& choice) {
    for (const auto name : names_to_try(choice)) {
        const auto response = select_aid(card, name, true);
        if (!response) {
            if (is_status_error(response.error())) {
                continue;
            }
            return std::unexpected(response.error());
        }
        const auto fcp = parse_fcp(response->data.reveal());
        DirEntry entry;
        entry.aid = fcp && !fcp->df_name.empty() ? fcp->df_name : Bytes(name.begin(), name.end());
        entry.kind = kind_of_aid(entry.aid);
        if (entry.kind != DirEntry::Kind::Other && entry.aid.size() <= kLongestAid &&
            starts_with(entry.aid, name)) {
            return entry;
        }
    }
    return fail(Errc::NotSupportedByCard,
                "no EF_DIR, and no " + std::string(name_of(choice.kind)) + " by its name");
}

} // namespace mtkey::uicc
