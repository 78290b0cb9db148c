// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/card_files.hpp"

#include <algorithm>

namespace mtkey::testbed {
namespace {

constexpr std::size_t kMostKeyCenters = 32;
constexpr std::size_t kMostApplications = 16;
constexpr std::size_t kLargestFile = 32767; // what an offset of READ BINARY reaches
constexpr std::size_t kLongestRecord = 255;

std::unexpected<Error> wrong(const char* what) {
    return fail(Errc::InvalidArgument, what);
}

bool all_digits(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}
bool is_number(std::string_view text, std::size_t least, std::size_t most) {
    return text.size() >= least && text.size() <= most && all_digits(text);
}
bool is_pin(const SecretBytes& digits) {
    return is_number(as_text(digits.reveal()), 4, 8);
}

/// A length octet below 80, so that "80 L" stays two octets for every reader of the file.
bool fits_object(const std::string& text) {
    return text.size() <= 127;
}

Result<void> check_pins(const CardProfile& profile) {
    if (profile.pin && !is_pin(*profile.pin)) {
        return wrong("pin: write 4 to 8 digits");
    }
    if (profile.pin_attempts < 1 || profile.pin_attempts > 15) {
        return wrong("pin_attempts: write 1 to 15");
    }
    for (const auto& pin : profile.more_pins) {
        const bool known =
            (pin.reference > kFirstApplicationPin && pin.reference <= kLastApplicationPin) ||
            pin.reference == kAdm1 || pin.reference == kUniversalPin;
        if (!known ||
            std::ranges::count(profile.more_pins, pin.reference, &PinProfile::reference) != 1) {
            return wrong("a PIN's key reference: write 2 to 8, each once");
        }
        if (!is_pin(pin.digits) || pin.attempts < 1 || pin.attempts > 15) {
            return wrong("a PIN: write 4 to 8 digits and 1 to 15 attempts");
        }
    }
    return {};
}

Result<void> check_application(const ApplicationProfile& application) {
    if (!application.aid.empty() && (application.aid.size() < 5 || application.aid.size() > 16)) {
        return wrong("aid: write 5 to 16 octets");
    }
    if (application.label.size() > 24) {
        return wrong("label: write at most 24 octets");
    }
    if (application.pin_reference < kFirstApplicationPin ||
        application.pin_reference > kLastApplicationPin) {
        return wrong("pin_reference: write 1 to 8");
    }
    if (application.naf_key_centers.size() > kMostKeyCenters ||
        std::ranges::any_of(application.naf_key_centers, [](const std::string& name) {
            return name.empty() || !fits_object(name);
        })) {
        return wrong("naf_key_centers: write at most 32 names of 1 to 127 octets");
    }
    if (!fits_object(application.impi) || !fits_object(application.domain) ||
        !std::ranges::all_of(application.impu, fits_object) || application.impu.size() > 254) {
        return wrong("impi, domain, impu: write at most 127 octets each");
    }
    if (std::ranges::any_of(application.services,
                            [](unsigned service) { return service < 1 || service > 255 * 8; })) {
        return wrong("services: write numbers from 1");
    }
    return {};
}

Result<void> check_file(const CardProfile& profile, const FileProfile& file) {
    const auto applications = applications_of(profile);
    if (file.where &&
        std::ranges::count(applications, *file.where, &ApplicationProfile::kind) == 0) {
        return wrong("file: there is no such application on this card");
    }
    if (file.sfi.value_or(0) > 30) {
        return wrong("file: sfi: write 1 to 30, or 0 for none");
    }
    return {};
}

/// What the whole gives, with the profile's changes.
Result<void> check_files(const CardProfile& profile) {
    for (const auto& directory : directories_of(profile)) {
        for (const auto& file : directory.files) {
            if (file.content.size() > kLargestFile) {
                return wrong("file: at most 32767 octets");
            }
            if (file.has_records() &&
                (file.record_length > kLongestRecord || file.content.empty() ||
                 file.content.size() % file.record_length != 0 || file.records() > 254)) {
                return wrong("file: write 1 to 254 records of one length up to 255");
            }
        }
    }
    return {};
}

} // namespace

Result<void> check_profile(const CardProfile& profile) {
    if (!is_number(profile.iccid, 18, 20)) {
        return wrong("iccid: write 18 to 20 digits");
    }
    if (!is_number(profile.imsi, 6, 15)) {
        return wrong("imsi: write 6 to 15 digits");
    }
    if (profile.mnc_length != 2 && profile.mnc_length != 3) {
        return wrong("mnc_length: write 2 or 3");
    }
    if (profile.sim && (profile.protocol != Protocol::T0 || !profile.applications.empty() ||
                        !profile.files.empty() || !profile.more_pins.empty())) {
        return wrong("kind: a SIM has T=0 and PIN 01, no applications and no files of its own");
    }
    if (profile.channels < 1 || profile.channels > 20) {
        return wrong("channels: write 1 to 20");
    }
    if (profile.sqn.ind_bits > 8) {
        return wrong("ind_bits: write 0 to 8");
    }
    if (profile.applications.size() > kMostApplications) {
        return wrong("application: write at most 16");
    }
    MTKEY_CHECK(check_pins(profile));
    for (const auto& application : applications_of(profile)) {
        MTKEY_CHECK(check_application(application));
    }
    for (const auto& file : profile.files) {
        MTKEY_CHECK(check_file(profile, file));
    }
    return check_files(profile);
}

} // namespace mtkey::testbed
