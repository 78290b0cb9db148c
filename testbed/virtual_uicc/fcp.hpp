// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "testbed/virtual_uicc/file_system.hpp"

namespace mtkey::testbed {

/// FCP template, tag 62 (TS 102 221 clause 11.1.1.3).
/// `pin_reference`: the PIN of its directory.
Bytes fcp_of(const ElementaryFile& file, std::uint8_t pin_reference);
Bytes fcp_of(const Directory& directory);
/// Security attributes in expanded format (clause 9.2.4): an object AB holds them, or a record of
/// EF_ARR.
Bytes access_rules(Access read, Access update, std::uint8_t pin_reference);

/// EF_ARR of the MF and of an ADF (clause 13.4).
inline constexpr std::uint16_t kEfArrOfMf = 0x2F06;
inline constexpr std::uint16_t kEfArrOfAdf = 0x6F06;

} // namespace mtkey::testbed
