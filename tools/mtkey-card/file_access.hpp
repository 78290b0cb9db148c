// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "uicc/card_channel.hpp"
#include "uicc/ef_parsers.hpp"

#include <optional>
#include <string>
#include <vector>

// Files by path, with the truth about what the card says: for those who look at cards.
namespace mtkey::tools {

/// What SELECT gave.
struct Selected {
    std::uint16_t sw = 0;
    Bytes fcp_octets;
    uicc::Fcp fcp; ///< empty when the octets make no sense
    [[nodiscard]] bool found() const;
};

/// `path`: file identifiers behind each other; 3F00 first = from the MF, else from the current
/// application.
[[nodiscard]] Result<Selected> select_path(uicc::CardChannel& card, ByteView path);
[[nodiscard]] Result<Selected> select_aid(uicc::CardChannel& card, ByteView aid);

/// Content of the selected file: one entry, or one for each record. At most 32 KiB.
/// PinRequired and CardFailed with the status word as detail.
[[nodiscard]] Result<std::vector<Bytes>>
read_selected(uicc::CardChannel& card, const uicc::Fcp& fcp, const std::string& name);

/// "usim", "isim", "other"
[[nodiscard]] std::string kind_name(uicc::DirEntry::Kind kind);
[[nodiscard]] std::string structure_name(uicc::Fcp::Structure structure);

} // namespace mtkey::tools
