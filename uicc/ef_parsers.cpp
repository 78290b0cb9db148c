// SPDX-License-Identifier: Apache-2.0
#include "uicc/ef_parsers.hpp"

#include "uicc/ber_tlv.hpp"

#include <algorithm>
#include <array>

namespace mtkey::uicc {
namespace {
constexpr std::uint8_t kUnusedNibble = 0x0F;
constexpr std::size_t kLongestFqdn = 253;
constexpr std::size_t kLongestName = 255;

std::uint8_t nibble(ByteView octets, std::size_t index) {
    const auto octet = octets[index / 2];
    return index % 2 == 0 ? octet & 0x0F : octet >> 4;
}

bool all_unused(ByteView octets, std::uint8_t value) {
    return std::ranges::all_of(octets, [value](std::uint8_t octet) { return octet == value; });
}

} // namespace

Result<std::optional<DirEntry>> parse_dir_record(ByteView record) {
    const auto application = MTKEY_TRY(find_tlv(record, 0x61));
    if (!application) {
        return std::nullopt;
    }
    DirEntry entry;
    TlvReader reader(*application);
    while (const auto object = MTKEY_TRY(reader.next())) {
        if (object->tag == 0x4F) {
            entry.aid.assign(object->value.begin(), object->value.end());
        } else if (object->tag == 0x50) {
            entry.label = as_text(object->value);
        }
    }
    if (entry.aid.size() < 5 || entry.aid.size() > 16) {
        return fail(Errc::Malformed, "EF_DIR record whose AID is not of 5 to 16 octets");
    }
    entry.kind = kind_of_aid(entry.aid);
    return entry;
}

Result<std::string> parse_iccid(ByteView file) {
    std::string digits;
    for (std::size_t i = 0; i < std::min<std::size_t>(file.size(), 10) * 2; ++i) {
        const auto digit = nibble(file, i);
        if (digit == kUnusedNibble) {
            break;
        }
        digits.push_back("0123456789ABCDE"[digit]);
    }
    if (digits.size() <
        10) { // ITU-T E.118: 89, country, issuer, number; nothing sensible is shorter
        return fail(Errc::Malformed, "EF_ICCID holds no card number");
    }
    return digits;
}

Result<std::string> parse_imsi(ByteView file) {
    if (file.empty() || file[0] < 1 || file[0] > 8 || file.size() < 1U + file[0]) {
        return fail(Errc::Malformed, "EF_IMSI has a wrong length");
    }
    const auto content = file.subspan(1, file[0]);
    const auto first = nibble(content, 0); // type 001 and the parity bit
    if ((first & 0x07) != 0x01) {
        return fail(Errc::Malformed, "EF_IMSI holds another type of identity");
    }
    const bool odd = (first & 0x08) != 0;
    const auto count = content.size() * 2 - (odd ? 1 : 2);
    std::string digits;
    for (std::size_t i = 1; i <= count; ++i) {
        const auto digit = nibble(content, i);
        if (digit > 9) {
            return fail(Errc::Malformed, "EF_IMSI holds something else than digits");
        }
        digits.push_back(static_cast<char>('0' + digit));
    }
    if (digits.size() < 6) {
        return fail(Errc::Malformed, "EF_IMSI is too short for MCC, MNC and a subscriber");
    }
    if (!odd && nibble(content, count + 1) != kUnusedNibble) {
        return fail(Errc::Malformed, "EF_IMSI contradicts its parity");
    }
    return digits;
}

std::optional<unsigned> parse_mnc_length(ByteView file) {
    if (file.size() < 4) { // cards before Release 4 had three octets
        return std::nullopt;
    }
    const unsigned length = file[3] & 0x0F;
    return length == 2 || length == 3 ? std::optional(length) : std::nullopt;
}

std::optional<unsigned> mnc_length_of_country(std::string_view imsi) {
    // ITU-T E.212, list of mobile network codes: Canada, USA, Mexico, Caribbean, Honduras,
    // Argentina, Colombia.
    constexpr std::array<std::string_view, 25> kThreeDigits{
        "302", "310", "311", "312", "313", "314", "315", "316", "334", "338", "342", "344", "346",
        "348", "352", "354", "356", "358", "360", "365", "366", "376", "708", "722", "732"};
    if (std::ranges::find(kThreeDigits, imsi.substr(0, 3)) == kThreeDigits.end()) {
        return std::nullopt;
    }
    return 3;
}

Result<std::string> parse_ims_name(ByteView file) {
    const auto value = MTKEY_TRY(find_tlv(file, 0x80));
    const auto is_text = [](std::uint8_t octet) { return octet > 0x20 && octet < 0x7F; };
    if (!value || value->empty() || value->size() > kLongestName ||
        !std::ranges::all_of(*value, is_text)) {
        return fail(Errc::Malformed, "EF_IMPI or EF_DOMAIN without a name");
    }
    return std::string(as_text(*value));
}

bool service_available(ByteView table, unsigned service) {
    if (service == 0 || (service - 1) / 8 >= table.size()) {
        return false;
    }
    return (table[(service - 1) / 8] >> ((service - 1) % 8) & 1) != 0;
}

Result<std::optional<std::string>> parse_nafkca_record(ByteView record) {
    if (all_unused(record, 0xFF) || all_unused(record, 0x00)) {
        return std::nullopt;
    }
    const auto value = MTKEY_TRY(find_tlv(record, 0x80));
    if (!value) {
        return fail(Errc::Malformed, "EF_NAFKCA record without address");
    }
    if (value->empty()) {
        return std::nullopt;
    }
    const auto fqdn = as_text(*value);
    const auto is_allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '_';
    };
    if (fqdn.size() > kLongestFqdn || !std::ranges::all_of(fqdn, is_allowed) ||
        fqdn.front() == '.' || fqdn.find("..") != std::string_view::npos) {
        return fail(Errc::Malformed, "EF_NAFKCA record that is no FQDN");
    }
    return std::string(fqdn);
}

} // namespace mtkey::uicc
