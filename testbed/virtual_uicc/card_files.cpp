// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/card_files.hpp"

#include "testbed/virtual_uicc/fcp.hpp"
#include "uicc/ber_tlv.hpp"

#include <algorithm>
#include <utility>

namespace mtkey::testbed {
namespace {

constexpr std::uint16_t kMasterFile = 0x3F00;
constexpr std::uint16_t kFirstAdf = 0x7FF0;
constexpr std::uint16_t kEfDir = 0x2F00;
constexpr std::uint16_t kEfIccid = 0x2FE2;
constexpr std::uint16_t kEfAd = 0x6FAD;
constexpr std::uint16_t kEfNafkca = 0x6FDD;

constexpr std::size_t kDirRecord = 48;
constexpr std::size_t kGbabpSize = 192; // room for a B-TID of 150 octets
constexpr std::size_t kGbanlLength = 200;
constexpr std::size_t kGbanlRecords = 5;
constexpr std::size_t kShortestNafkca = 50;

/// RID of 3GPP, application code, country and provider left open, application data (TS 101 220
/// annex E).
Bytes aid_of(ApplicationKind kind) {
    const std::uint8_t code = kind == ApplicationKind::Usim ? 0x02 : 0x04;
    return {0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, code, 0xFF,
            0xFF, 0xFF, 0xFF, 0x89, 0x07, 0x09, 0x00, 0x00};
}

/// ims.mnc<MNC>.mcc<MCC>.3gppnetwork.org (TS 23.003 clause 13.2).
std::string home_domain(const CardProfile& profile) {
    const std::string mnc = profile.imsi.substr(3, profile.mnc_length);
    return "ims.mnc" + std::string(3 - mnc.size(), '0') + mnc + ".mcc" + profile.imsi.substr(0, 3) +
           ".3gppnetwork.org";
}

ElementaryFile dir_file(const std::vector<ApplicationProfile>& applications) {
    ElementaryFile file{
        .fid = kEfDir, .sfi = 0x1E, .record_length = kDirRecord, .read = Access::Always};
    // An empty record at the end, as on many cards.
    file.content.assign((applications.size() + 1) * kDirRecord, 0xFF);
    for (std::size_t i = 0; i < applications.size(); ++i) {
        Bytes entry;
        uicc::append_tlv(entry, 0x4F, applications[i].aid);
        uicc::append_tlv(entry, 0x50, as_octets(applications[i].label));
        Bytes record;
        uicc::append_tlv(record, 0x61, entry);
        std::ranges::copy(record, file.record(i).begin());
    }
    return file;
}

ElementaryFile key_center_file(const std::vector<std::string>& names) {
    std::size_t longest = kShortestNafkca;
    for (const auto& name : names) {
        longest = std::max(longest, name.size() + 2);
    }
    ElementaryFile file{.fid = kEfNafkca, .record_length = longest};
    file.content.assign(std::max<std::size_t>(names.size(), 1) * longest, 0xFF);
    for (std::size_t i = 0; i < names.size(); ++i) {
        Bytes record;
        uicc::append_tlv(record, 0x80, as_octets(names[i]));
        std::ranges::copy(record, file.record(i).begin());
    }
    return file;
}

Directory master_file(const CardProfile& profile) {
    Directory mf{.fid = kMasterFile};
    if (!profile.quirks.no_ef_dir) {
        mf.files.push_back(dir_file(applications_of(profile)));
    }
    mf.files.push_back(iccid_file(profile));
    return mf;
}

void apply(const FileProfile& change, Directory& directory) {
    if (change.missing) {
        std::erase_if(directory.files, [&](const auto& file) { return file.fid == change.fid; });
        return;
    }
    ElementaryFile* file = directory.find(change.fid);
    if (file == nullptr) {
        file = &directory.files.emplace_back(ElementaryFile{.fid = change.fid});
    }
    file->sfi = change.sfi.value_or(file->sfi);
    file->record_length = change.record_length.value_or(file->record_length);
    file->content = change.content.value_or(file->content);
    file->content.resize(change.size.value_or(file->content.size()), 0xFF);
    file->read = change.read.value_or(file->read);
    file->update = change.update.value_or(file->update);
}

bool has_pin(const CardProfile& profile, std::uint8_t reference) {
    return reference == kFirstApplicationPin
               ? profile.pin.has_value()
               : std::ranges::count(profile.more_pins, reference, &PinProfile::reference) != 0;
}

/// A record for each pair of conditions that some file of the directory has.
void move_rules_to_arr(Directory& directory) {
    const bool is_mf = directory.fid == kMasterFile;
    directory.files.push_back({.fid = is_mf ? kEfArrOfMf : kEfArrOfAdf,
                               .sfi = std::uint8_t{is_mf ? std::uint8_t{0x06} : std::uint8_t{0x17}},
                               .read = Access::Always});
    std::vector<Bytes> rules;
    for (auto& file : directory.files) {
        const Bytes rule = access_rules(file.read, file.update, directory.pin_reference);
        const auto known = std::ranges::find(rules, rule);
        file.arr_record = static_cast<std::uint8_t>(known - rules.begin() + 1);
        if (known == rules.end()) {
            rules.push_back(rule);
        }
    }
    auto& arr = directory.files.back();
    arr.record_length = std::ranges::max(rules, {}, &Bytes::size).size();
    arr.content.assign(rules.size() * arr.record_length, 0xFF);
    for (std::size_t i = 0; i < rules.size(); ++i) {
        std::ranges::copy(rules[i], arr.record(i).begin());
    }
}

void finish(Directory& directory, const CardProfile& profile) {
    directory.pin_enabled = has_pin(profile, directory.pin_reference);
    directory.universal_pin = has_pin(profile, kUniversalPin);
    for (auto& file : directory.files) {
        file.deactivated = profile.quirks.deactivated == file.fid;
    }
    if (profile.arr) {
        move_rules_to_arr(directory);
    }
}

} // namespace

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

Bytes service_table(std::size_t octets, const std::vector<unsigned>& services) {
    Bytes out(octets, 0x00);
    for (const unsigned service : services) {
        out.resize(std::max<std::size_t>(out.size(), (service + 7) / 8), 0x00);
        out[(service - 1) / 8] |= static_cast<std::uint8_t>(1U << ((service - 1) % 8));
    }
    return out;
}

ElementaryFile iccid_file(const CardProfile& profile) {
    return {.fid = kEfIccid,
            .sfi = 0x02,
            .content = swapped_bcd(profile.iccid, 10),
            .read = Access::Always};
}

ElementaryFile administrative_data(const CardProfile& profile) {
    ElementaryFile file{
        .fid = kEfAd,
        .sfi = 0x03,
        .content = {0x00, 0x00, 0x00, static_cast<std::uint8_t>(profile.mnc_length)},
        .read = Access::Always};
    if (profile.quirks.ef_ad_3_octets) {
        file.content.pop_back();
    }
    return file;
}

void add_gba_files(Directory& adf, const CardProfile& profile,
                   const ApplicationProfile& application) {
    if (!application.gba) {
        return;
    }
    const auto fids = gba_files(application.kind);
    adf.files.push_back({.fid = fids.gbabp,
                         .content = Bytes(profile.quirks.gbabp_size.value_or(kGbabpSize), 0xFF),
                         .update = Access::Pin});
    adf.files.push_back({.fid = fids.gbanl,
                         .record_length = kGbanlLength,
                         .content = Bytes(kGbanlLength * kGbanlRecords, 0xFF)});
    if (application.local_key) {
        adf.files.push_back(key_center_file(application.naf_key_centers));
    }
}

std::vector<ApplicationProfile> applications_of(const CardProfile& profile) {
    auto out = profile.applications;
    if (out.empty()) {
        out.push_back({.gba = profile.gba,
                       .local_key = profile.local_key,
                       .gsm_access = profile.gsm_access,
                       .naf_key_centers = profile.naf_key_centers});
    }
    for (auto& application : out) {
        const bool is_usim = application.kind == ApplicationKind::Usim;
        if (application.aid.empty()) {
            application.aid = aid_of(application.kind);
        }
        if (application.label.empty()) {
            application.label = is_usim ? "USIM1" : "ISIM1";
        }
        if (application.domain.empty()) {
            application.domain = home_domain(profile);
        }
        if (application.impi.empty()) {
            application.impi = profile.imsi + "@" + home_domain(profile);
        }
        if (application.impu.empty()) {
            application.impu = {"sip:" + application.impi};
        }
    }
    return out;
}

std::vector<Directory> directories_of(const CardProfile& profile) {
    const auto applications = applications_of(profile);
    std::vector<Directory> out{master_file(profile)};
    for (const auto& application : applications) {
        out.push_back(application.kind == ApplicationKind::Usim ? usim(profile, application)
                                                                : isim(profile, application));
        auto& adf = out.back();
        adf.fid = static_cast<std::uint16_t>(kFirstAdf + out.size() - 2);
        adf.aid = application.aid;
        adf.pin_reference = application.pin_reference;
    }
    for (const auto& change : profile.files) {
        std::size_t number = 0;
        if (change.where) {
            const auto found =
                std::ranges::find(applications, *change.where, &ApplicationProfile::kind);
            number = static_cast<std::size_t>(found - applications.begin()) + 1;
        }
        apply(change, out[number]);
    }
    for (auto& directory : out) {
        finish(directory, profile);
    }
    return out;
}

} // namespace mtkey::testbed
