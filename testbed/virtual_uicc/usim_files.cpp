// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/card_files.hpp"

namespace mtkey::testbed {
namespace {

constexpr std::uint16_t kEfImsi = 0x6F07;
constexpr std::uint16_t kEfUst = 0x6F38;

// TS 31.102 clause 4.2.8
constexpr std::size_t kServiceTableSize = 17;
constexpr unsigned kServiceGsmAccess = 27;
constexpr unsigned kServiceGba = 68;
constexpr unsigned kServiceLocalKey = 76;

} // namespace

Bytes imsi_content(const std::string& imsi) {
    const char parity = imsi.size() % 2 == 1 ? '9' : '1';
    Bytes out{static_cast<std::uint8_t>(imsi.size() / 2 + 1)};
    append(out, swapped_bcd(parity + imsi, 8));
    return out;
}

/// ADF_USIM (TS 31.102 clause 4.2).
Directory usim(const CardProfile& profile, const ApplicationProfile& application) {
    auto services = application.services;
    const auto add = [&](unsigned service, bool available) {
        if (available) {
            services.push_back(service);
        }
    };
    add(kServiceGsmAccess, application.gsm_access);
    add(kServiceGba, application.gba);
    add(kServiceLocalKey, application.local_key);
    Directory adf;
    adf.files.push_back({.fid = kEfImsi, .sfi = 0x07, .content = imsi_content(profile.imsi)});
    adf.files.push_back(administrative_data(profile));
    adf.files.push_back(
        {.fid = kEfUst, .sfi = 0x04, .content = service_table(kServiceTableSize, services)});
    add_gba_files(adf, profile, application);
    return adf;
}

} // namespace mtkey::testbed
