// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/config_table.hpp"
#include "testbed/virtual_uicc/card_file.hpp"

namespace mtkey::testbed {

// The tables of card.toml. Each reads one and says what is wrong in it.

Result<ApplicationProfile> read_application(ConfigTable table, const CardProfile& card);
Result<FileProfile> read_file_profile(ConfigTable table);
Result<Quirks> read_quirks(ConfigTable table);
Result<Fault> read_fault(ConfigTable table);

/// Exactly `octets` of them in hex, or nothing when the key is absent.
Result<std::optional<Bytes>> octets_or_none(ConfigTable& table, std::string_view key,
                                            std::optional<std::size_t> octets = std::nullopt);
Result<std::optional<SecretBytes>> secret_text_or_none(ConfigTable& table, std::string_view key);

} // namespace mtkey::testbed
