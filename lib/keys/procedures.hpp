// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "keys/naf_list.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace mtkey::keys {

/// What the MT knows of its bootstrapped context when a device asks. From gba::Context; no key is
/// in it.
struct ContextFacts {
    std::string b_tid;
    UtcTime expires{};       ///< T_Ks in the BSF's time: only for those who were told by the BSF
    UtcTime created{};       ///< by the clock here
    UtcTime local_end{};     ///< T_Ks by the clock here
    BootTime deadline{};     ///< T_Ks by CLOCK_BOOTTIME
    BootTime use_deadline{}; ///< start + 24 h by CLOCK_BOOTTIME
    /// By how much the BSF's clock is ahead of ours, where the BSF has proved what it says.
    std::optional<std::chrono::seconds> network_ahead{};
};
/// May be used until T_Ks; both clocks must say so (threats C1).
[[nodiscard]] bool alive(const ContextFacts& context, const Clock& clock);
/// Must be wiped: UTC may be wrong, or set right again, and deletes nothing
/// (DRAFT-GAP(two-clocks)).
[[nodiscard]] bool ended(const ContextFacts& context, const Clock& clock);

/// T_use = min(T_Ks, start + 24 h): until then a B-TID is handed out and new keys are derived
/// (DRAFT-GAP(t-use)).
inline constexpr std::chrono::hours kLongestUse{24};
[[nodiscard]] bool usable(const ContextFacts& context, const Clock& clock);

/// Draft 5.5.2 step 3 / 5.5.3 step 3: is there a valid B-TID to hand out? `tombstoned`: within this
/// Ks epoch the key of this device was revoked or has expired, and the same inputs would give the
/// same key again (DRAFT-GAP(tombstones)).
[[nodiscard]] std::optional<std::string>
b_tid_for_key_info(const std::optional<ContextFacts>& context, const Clock& clock, bool tombstoned);

/// A device's request as the decision sees it (step 6 of both procedures).
struct Request {
    kdf::NafId naf_id;
    std::optional<std::string> b_tid; ///< as the device received it
};
struct RunBootstrapping {};  ///< 5.5.2 steps 7 and 8
struct DeriveFromContext {}; ///< 5.5.3 step 7
struct BtidChanged {
    std::string b_tid; ///< the new one
};
struct BtidGone {};
struct NafUnknown {};
using Decision =
    std::variant<RunBootstrapping, DeriveFromContext, BtidChanged, BtidGone, NafUnknown>;

/// Draft 5.5.2 step 6 and 5.5.3 step 6. A B-TID that is no longer ours is answered with the new one
/// (the race of a bootstrapping between L2 and L3); when there is none any more the device must ask
/// for a full run itself: it would take an answer about another B-TID than its own for a violation.
[[nodiscard]] Decision decide(const Request& request, const std::optional<ContextFacts>& context,
                              const NafList& nafs, const Clock& clock, bool tombstoned);

/// End of a confirmed key at the MT: min(T_Ks, what the Key Center gave, start + 7 d), all in the
/// BSF's time, which may differ from ours (DRAFT-GAP(lifetime-mt)).
inline constexpr std::chrono::hours kLongestKey{7 * 24};
[[nodiscard]] UtcTime agreed_expiry(UtcTime ks_expires, UtcTime key_center_expires, UtcTime start);

} // namespace mtkey::keys
