// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "testbed/virtual_uicc/card.hpp"

#include <optional>
#include <string>

namespace mtkey::testbed {

/// A card's memory as a file beside its profile (TOML: seq, one entry an IND; pins, "reference
/// attempts-left"). Nothing when there is no such file yet.
Result<std::optional<CardMemory>> read_card_memory(const std::string& path);
/// The old file or the new one, never half.
Result<void> write_card_memory(const std::string& path, const CardMemory& memory);

} // namespace mtkey::testbed
