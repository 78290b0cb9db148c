// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/card_files.hpp"
#include "uicc/ber_tlv.hpp"

#include <algorithm>

namespace mtkey::testbed {
namespace {

constexpr std::uint16_t kEfImpi = 0x6F02;
constexpr std::uint16_t kEfDomain = 0x6F03;
constexpr std::uint16_t kEfImpu = 0x6F04;
constexpr std::uint16_t kEfIst = 0x6F07;

// TS 31.103 clause 4.2.7
constexpr std::size_t kServiceTableSize = 2;
constexpr unsigned kServiceGba = 2;
constexpr unsigned kServiceLocalKey = 4;

constexpr std::size_t kRoom = 8; // octets of padding, as on cards that were personalised later

/// 80 L text (TS 31.103 clauses 4.2.2 to 4.2.4).
Bytes text_object(const std::string& text) {
    Bytes out;
    uicc::append_tlv(out, 0x80, as_octets(text));
    return out;
}

Bytes padded(Bytes content) {
    content.resize(content.size() + kRoom, 0xFF);
    return content;
}

ElementaryFile public_identities(const std::vector<std::string>& identities) {
    ElementaryFile file{.fid = kEfImpu, .sfi = 0x04};
    file.record_length =
        text_object(std::ranges::max(identities, {}, &std::string::size)).size() + kRoom;
    file.content.assign(identities.size() * file.record_length, 0xFF);
    for (std::size_t i = 0; i < identities.size(); ++i) {
        std::ranges::copy(text_object(identities[i]), file.record(i).begin());
    }
    return file;
}

} // namespace

/// ADF_ISIM (TS 31.103 clause 4.2).
Directory isim(const CardProfile& profile, const ApplicationProfile& application) {
    auto services = application.services;
    if (application.gba) {
        services.push_back(kServiceGba);
    }
    if (application.local_key) {
        services.push_back(kServiceLocalKey);
    }
    Directory adf;
    adf.files.push_back(
        {.fid = kEfImpi, .sfi = 0x02, .content = padded(text_object(application.impi))});
    adf.files.push_back(
        {.fid = kEfDomain, .sfi = 0x05, .content = padded(text_object(application.domain))});
    adf.files.push_back(public_identities(application.impu));
    adf.files.push_back(administrative_data(profile));
    adf.files.push_back(
        {.fid = kEfIst, .sfi = 0x07, .content = service_table(kServiceTableSize, services)});
    add_gba_files(adf, profile, application);
    return adf;
}

} // namespace mtkey::testbed
