// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tools/mtkey-card/file_access.hpp"
#include "tools/mtkey-card/known_files.hpp"
#include "tools/mtkey-card/options.hpp"

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace mtkey::tools {

/// An application that is selected.
struct OpenApplication {
    uicc::DirEntry entry;
    uicc::Fcp fcp;
    [[nodiscard]] Home home() const {
        return entry.kind == uicc::DirEntry::Kind::Isim ? Home::Isim : Home::Usim;
    }
};

/// SELECT, and the PIN when options.pin is there and the card wants one (floor 2).
/// NotSupportedByCard: refused.
[[nodiscard]] Result<OpenApplication> open_application(Card& card, const Options& options,
                                                       const uicc::DirEntry& entry);
/// The one that options.application names. NotFound lists what there is.
[[nodiscard]] Result<OpenApplication> open_application(Card& card, const Options& options);

/// The PINs that an application names, with their attempts: each an empty VERIFY.
[[nodiscard]] Result<nlohmann::json> pins_of(Card& card, const OpenApplication& application);

} // namespace mtkey::tools
