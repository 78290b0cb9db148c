// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "testbed/virtual_uicc/card_profile.hpp"
#include "testbed/virtual_uicc/file_system.hpp"

#include <string_view>
#include <vector>

namespace mtkey::testbed {

/// Files that the card itself writes: TS 31.102 clauses 4.2.79 and 4.2.83, TS 31.103 clauses 4.2.9
/// and 4.2.11.
struct GbaFiles {
    std::uint16_t gbabp;
    std::uint16_t gbanl;
};
constexpr GbaFiles gba_files(ApplicationKind kind) {
    return kind == ApplicationKind::Usim ? GbaFiles{0x6FD6, 0x6FDA} : GbaFiles{0x6FD5, 0x6FD7};
}

/// InvalidArgument names the first setting that no card could have, and the remedy.
Result<void> check_profile(const CardProfile& profile);

/// Those that the profile names, complete; the one USIM when it names none.
std::vector<ApplicationProfile> applications_of(const CardProfile& profile);

/// MF (TS 102 221 clause 13) and the applications in their order, with the profile's own files and
/// EF_ARR. `profile` passed check_profile.
std::vector<Directory> directories_of(const CardProfile& profile);

// ---- what those are made of

Directory usim(const CardProfile& profile, const ApplicationProfile& application);
Directory isim(const CardProfile& profile, const ApplicationProfile& application);
/// EF_GBABP, EF_GBANL and EF_NAFKCA, as far as the application's services bring them.
void add_gba_files(Directory& adf, const CardProfile& profile,
                   const ApplicationProfile& application);
ElementaryFile iccid_file(const CardProfile& profile);
ElementaryFile administrative_data(const CardProfile& profile);
/// EF_IMSI: length, then the digits behind a nibble for type and parity (TS 31.102 clause 4.2.2, TS
/// 51.011 clause 10.3.2).
Bytes imsi_content(const std::string& imsi);
/// One bit a service, from the least significant one of the first octet.
Bytes service_table(std::size_t octets, const std::vector<unsigned>& services);
/// `digits` two an octet, the first one in the low nibble; unused nibbles are F.
Bytes swapped_bcd(std::string_view digits, std::size_t size);

} // namespace mtkey::testbed
