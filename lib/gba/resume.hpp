// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gba/bootstrapping.hpp"
#include "uicc/gba_files.hpp"

#include <optional>
#include <span>

namespace mtkey::gba {

/// What there is to know of a context besides its keys.
struct ContextRecord {
    kdf::Rand rand{};
    std::string b_tid;
    UtcTime created{};
    UtcTime expires{};
    UtcTime local_end{};
    BootTime deadline{}; ///< of the boot in which it is used
    bool operator==(const ContextRecord&) const = default;
};
[[nodiscard]] ContextRecord record_of(const Context& context);

struct ResumeSettings {
    std::string impi;
    uicc::DirEntry::Kind application = uicc::DirEntry::Kind::Usim; ///< the one that is selected
    bool card_is_shared = false;                                   ///< RunSettings::card_is_shared
    std::chrono::seconds lifetime_cap = std::chrono::hours(24 * 7);
    /// What must stand in EF_GBABP; nothing = nothing is remembered, and what stands there is
    /// believed if B-TID is base64 of RAND, for the card writes the one and the ME the other.
    std::optional<ContextRecord> remembered;
    std::vector<kdf::NafId> nafs; ///< one of them is derived for
    /// EF_GBABP as it has just been read (nothing in it: never bootstrapped); nothing = not yet.
    std::optional<std::optional<uicc::Gbabp>> gbabp{};
};

/// The GBA_U context that the card still holds, without the network (TS 33.220 clause 5.3.2, TS
/// 31.102 clause 4.2.79). Believed only after one AUTHENTICATE(DE), for a NAF that EF_GBANL lists
/// with this B-TID already where there is one: that costs the card no record. Nothing when there is
/// no such context, by files or by the card's answer; the log says why. Errors are those of the way
/// to the card and of files that make no sense.
[[nodiscard]] Result<std::optional<Context>> resume(uicc::CardChannel& card, const Clock& clock,
                                                    const ResumeSettings& settings);

} // namespace mtkey::gba
