// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "gba/resume.hpp"
#include "keys/bootstrap_budget.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::keys {

/// A GBA_U context as far as it may be known when its card is met again. No key is in it.
struct RememberedContext {
    std::string uicc; ///< hash of ICCID and IMPI, which also tells the application
    gba::ContextRecord record;
    BootTime use_deadline{}; ///< ContextFacts::use_deadline
    bool operator==(const RememberedContext&) const = default;
};

/// What stands in EF_GBABP of a card, for all that is known: a card that holds something else has
/// been bootstrapped since, so that what remembers this is old (docs/store.md section 6).
struct CardAnchor {
    std::string uicc;
    kdf::Rand rand{};
    std::string b_tid;
    std::string boot; ///< the last boot in which the card has shown it; "" = none
    bool operator==(const CardAnchor&) const = default;
};

/// What outlives the program about its bootstrappings. No key is in it.
struct BootstrapPast {
    std::string boot_id; ///< of the boot that all BootTimes are of; "" = not known
    UtcTime saved{};
    BootTime saved_boot{};      ///< the same moment
    UtcTime high_water{};       ///< the latest UTC seen
    std::vector<BegunRun> runs; ///< oldest first
    std::optional<RememberedContext> context;
    std::optional<CardAnchor> anchor;
    std::vector<std::string> without_gba; ///< hashes of ICCIDs: GBA service, no GBA context
    bool operator==(const BootstrapPast&) const = default;
};
inline constexpr std::size_t kMostRuns = 1000; ///< what a limit may be set to, too
inline constexpr std::size_t kMostWithoutGba = 16;
inline constexpr std::size_t kBootstrapPastLimit = 65535; ///< what two octets count

/// Text, a line a fact, with a version in front and SHA-256 behind: that finds accidents, not
/// forgers. Malformed for anything that encode_bootstrap_past() would not have written.
[[nodiscard]] Result<BootstrapPast> parse_bootstrap_past(std::string_view text);
/// What is over a limit is left out, the oldest first.
[[nodiscard]] std::string encode_bootstrap_past(const BootstrapPast& past);

/// Puts the times of another boot into this one's. While UTC is behind the latest that was seen it
/// is wrong: then no time has passed for the runs, and the context is given up (threats C1). A
/// boot that is not known is another one.
void move_to_boot(BootstrapPast& past, std::string_view boot_id, const Clock& clock);

/// Where it lies meanwhile: in the sealed store, or in a file of its own; used by one thread at a
/// time.
class BootstrapMemory {
public:
    virtual ~BootstrapMemory() = default;
    /// Nothing at the very first start. Any error = it cannot be trusted, and is out of the way.
    [[nodiscard]] virtual Result<std::optional<BootstrapPast>> load() = 0;
    /// What was stored before stays until this one is whole.
    [[nodiscard]] virtual Result<void> store(const BootstrapPast& past) = 0;
    /// Keys depend on it: what cannot be written down must not happen.
    [[nodiscard]] virtual bool guards_keys() const { return false; }
};

} // namespace mtkey::keys
