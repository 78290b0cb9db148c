// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "uicc/directory.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Contents of the files in use, as pure functions: no card, no state, never beyond the octets
// given.
namespace mtkey::uicc {

/// A PIN that the FCP of an application names (TS 102 221 clause 11.1.1.4.10).
struct PinStatus {
    std::uint8_t reference =
        0; ///< P2 of VERIFY: 01 to 08 of applications, 11 universal, 81 to 88 local
    bool enabled = false;
};

/// What SELECT tells of a file (TS 102 221 clause 11.1.1.3). Fields that the card left out are
/// empty.
struct Fcp {
    enum class Structure { Unknown, Transparent, LinearFixed, Cyclic, Directory };
    Structure structure = Structure::Unknown;
    std::optional<std::size_t> file_size;
    std::optional<std::size_t> total_size; ///< with what the card itself needs for it
    Bytes df_name;                         ///< the AID, of an application
    std::size_t record_length = 0;
    std::size_t record_count = 0;
    bool has_pin_status = false; ///< template C6 stands there
    std::vector<PinStatus> pins;
    bool universal_pin_in_use =
        true; ///< false: the usage qualifier says that it replaces no application's PIN
};
[[nodiscard]] Result<Fcp> parse_fcp(ByteView octets);

/// The key reference that VERIFY needs: the application's PIN when it is enabled, else the
/// universal PIN when that is enabled and in use. Nothing = no PIN is asked for. For a template
/// that is there.
[[nodiscard]] std::optional<std::uint8_t> required_pin(const Fcp& fcp);

/// A record of EF_DIR (TS 102 221 clause 13.1); nothing when it is unused.
[[nodiscard]] Result<std::optional<DirEntry>> parse_dir_record(ByteView record);
/// EF_ICCID (clause 13.2): up to 20 digits. Some issuers use the digits A to E as well.
[[nodiscard]] Result<std::string> parse_iccid(ByteView file);
/// EF_IMSI (TS 31.102 clause 4.2.2): 6 to 15 digits.
[[nodiscard]] Result<std::string> parse_imsi(ByteView file);
/// EF_AD octet 4 (TS 31.102 clause 4.2.18): 2 or 3; nothing when the card does not say.
[[nodiscard]] std::optional<unsigned> parse_mnc_length(ByteView file);
/// 3 for the countries that have only such networks; nothing for the others.
[[nodiscard]] std::optional<unsigned> mnc_length_of_country(std::string_view imsi);
/// EF_IMPI and EF_DOMAIN (TS 31.103 clauses 4.2.2, 4.2.3): `80 L text`, printable ASCII.
[[nodiscard]] Result<std::string> parse_ims_name(ByteView file);
/// EF_UST, EF_IST: services count from 1. A file too short does not have the service.
[[nodiscard]] bool service_available(ByteView table, unsigned service);
/// A record of EF_NAFKCA (TS 31.102 clause 4.2.87): `80 L FQDN`; nothing when it is unused.
[[nodiscard]] Result<std::optional<std::string>> parse_nafkca_record(ByteView record);

} // namespace mtkey::uicc
