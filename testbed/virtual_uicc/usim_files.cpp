// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/usim_files.hpp"

#include "base/encoding.hpp"
#include "uicc/ber_tlv.hpp"

#include <algorithm>
#include <string_view>

namespace mtkey::testbed {
namespace {

constexpr std::uint16_t kEfDir = 0x2F00;
constexpr std::uint16_t kEfIccid = 0x2FE2;
constexpr std::uint16_t kEfImsi = 0x6F07;
constexpr std::uint16_t kEfAd = 0x6FAD;
constexpr std::uint16_t kEfUst = 0x6F38;
constexpr std::uint16_t kEfNafkca = 0x6FDD;
constexpr std::uint16_t kAdfUsim = 0x7FF0;

// TS 31.102 clause 4.2.8
constexpr unsigned kServiceGsmAccess = 27;
constexpr unsigned kServiceGba = 68;
constexpr unsigned kServiceLocalKey = 76;

constexpr std::size_t kGbabpSize = 192; // room for a B-TID of 150 octets
constexpr std::size_t kGbanlLength = 200;
constexpr std::size_t kGbanlRecords = 5;
constexpr std::size_t kShortestNafkca = 50;
constexpr std::size_t kLongestNafkca = 252;
constexpr std::size_t kMostKeyCenters = 32;

/// A0 00 00 00 87 10 02, then country, provider and application data (TS 101 220 annex E).
const Bytes kUsimAid{0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02, 0xFF,
                     0xFF, 0xFF, 0xFF, 0x89, 0x07, 0x09, 0x00, 0x00};

bool all_digits(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// Two digits an octet, the first one in the low nibble; unused nibbles are F.
Bytes swapped_bcd(std::string_view digits, std::size_t size) {
    Bytes out(size, 0xFF);
    for (std::size_t i = 0; i < digits.size(); ++i) {
        const auto digit = static_cast<std::uint8_t>(digits[i] - '0');
        std::uint8_t& octet = out[i / 2];
        octet = static_cast<std::uint8_t>(i % 2 == 0 ? (octet & 0xF0) | digit
                                                     : (octet & 0x0F) | digit << 4);
    }
    return out;
}

/// Length, then the digits behind a nibble for type and parity (TS 31.102 clause 4.2.2).
Bytes imsi_content(const std::string& imsi) {
    const char parity = imsi.size() % 2 == 1 ? '9' : '1';
    Bytes out{static_cast<std::uint8_t>(imsi.size() / 2 + 1)};
    append(out, swapped_bcd(parity + imsi, 8));
    return out;
}

Bytes service_table(const CardProfile& profile) {
    Bytes out(17, 0x00);
    const auto add = [&](unsigned service, bool available) {
        if (available) {
            out[(service - 1) / 8] |= static_cast<std::uint8_t>(1U << ((service - 1) % 8));
        }
    };
    add(kServiceGsmAccess, profile.gsm_access);
    add(kServiceGba, profile.gba);
    add(kServiceLocalKey, profile.local_key);
    return out;
}

ElementaryFile dir_file() {
    Bytes application;
    uicc::append_tlv(application, 0x4F, kUsimAid);
    uicc::append_tlv(application, 0x50, as_octets("USIM1"));
    ElementaryFile file{
        .fid = kEfDir, .sfi = 0x1E, .record_length = 48, .content = {}, .read = Access::Always};
    uicc::append_tlv(file.content, 0x61, application);
    file.content.resize(2 * file.record_length, 0xFF);
    return file;
}

ElementaryFile key_center_file(const std::vector<std::string>& names) {
    std::size_t longest = kShortestNafkca;
    for (const auto& name : names) {
        longest = std::max(longest, name.size() + 2);
    }
    ElementaryFile file{.fid = kEfNafkca, .record_length = longest, .content = {}};
    file.content.assign(std::max<std::size_t>(names.size(), 1) * longest, 0xFF);
    for (std::size_t i = 0; i < names.size(); ++i) {
        Bytes record;
        uicc::append_tlv(record, 0x80, as_octets(names[i]));
        std::ranges::copy(record, file.record(i).begin());
    }
    return file;
}

} // namespace

Result<void> check_profile(const CardProfile& profile) {
    if (profile.iccid.size() < 18 || profile.iccid.size() > 20 || !all_digits(profile.iccid)) {
        return fail(Errc::InvalidArgument, "iccid: write 18 to 20 digits");
    }
    if (profile.imsi.size() < 6 || profile.imsi.size() > 15 || !all_digits(profile.imsi)) {
        return fail(Errc::InvalidArgument, "imsi: write 6 to 15 digits");
    }
    if (profile.mnc_length != 2 && profile.mnc_length != 3) {
        return fail(Errc::InvalidArgument, "mnc_length: write 2 or 3");
    }
    if (profile.pin && (profile.pin->size() < 4 || profile.pin->size() > 8 ||
                        !all_digits(as_text(profile.pin->reveal())))) {
        return fail(Errc::InvalidArgument, "pin: write 4 to 8 digits");
    }
    // A length octet below 80, so that "80 L" stays two octets for every reader of EF_NAFKCA.
    if (profile.naf_key_centers.size() > kMostKeyCenters ||
        std::ranges::any_of(profile.naf_key_centers, [](const std::string& name) {
            return name.empty() || name.size() > 127 || name.size() + 2 > kLongestNafkca;
        })) {
        return fail(Errc::InvalidArgument,
                    "naf_key_centers: write at most 32 names of 1 to 127 octets");
    }
    return {};
}

Directory master_file(const CardProfile& profile) {
    return {.fid = 0x3F00,
            .aid = {},
            .files = {dir_file(),
                      {.fid = kEfIccid,
                       .sfi = 0x02,
                       .content = swapped_bcd(profile.iccid, 10),
                       .read = Access::Always}},
            .pin_enabled = profile.pin.has_value()};
}

Directory usim(const CardProfile& profile) {
    Directory adf{
        .fid = kAdfUsim, .aid = kUsimAid, .files = {}, .pin_enabled = profile.pin.has_value()};
    adf.files.push_back({.fid = kEfImsi, .sfi = 0x07, .content = imsi_content(profile.imsi)});
    adf.files.push_back(
        {.fid = kEfAd,
         .sfi = 0x03,
         .content = {0x00, 0x00, 0x00, static_cast<std::uint8_t>(profile.mnc_length)},
         .read = Access::Always});
    adf.files.push_back({.fid = kEfUst, .sfi = 0x04, .content = service_table(profile)});
    if (profile.gba) {
        adf.files.push_back(
            {.fid = kEfGbabp, .content = Bytes(kGbabpSize, 0xFF), .update = Access::Pin});
        adf.files.push_back({.fid = kEfGbanl,
                             .record_length = kGbanlLength,
                             .content = Bytes(kGbanlLength * kGbanlRecords, 0xFF)});
    }
    if (profile.gba && profile.local_key) {
        adf.files.push_back(key_center_file(profile.naf_key_centers));
    }
    return adf;
}

} // namespace mtkey::testbed
