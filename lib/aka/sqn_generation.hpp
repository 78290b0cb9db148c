// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/algorithm.hpp"
#include "base/clock.hpp"

#include <cstdint>
#include <optional>

namespace mtkey::aka {

/// How the AuC makes SQN = SEQ || IND, IND of five bits (TS 33.102 annex C.1).
enum class SqnScheme {
    FixedInd,   ///< SEQ counts, IND stands still: one user of the AuC
    CyclingInd, ///< SEQ counts and IND goes round with it (clauses C.1.1.1 and C.1.2)
    Time,       ///< SEQ follows the clock, in seconds (clause C.1.1.3); IND goes round
};

/// What the AuC keeps for one subscriber, whatever the scheme.
struct SqnState {
    std::uint64_t next = 0; ///< the least SQN, with its IND, that the next vector may carry
    /// DIF of clause C.1.1.3: SEQ minus the clock; nothing = to be taken with the next vector.
    std::optional<std::int64_t> dif;
};

/// The SQN of one more vector; `state` moves beyond it. Modulo 2^48.
Sqn take_sqn(SqnState& state, SqnScheme scheme, UtcTime now);
/// SQN_HE = SQN_MS (TS 33.102 clause 6.3.5): the next vector's SEQ is at least one above.
void resynchronise_sqn(SqnState& state, SqnScheme scheme, const Sqn& sqn_ms, UtcTime now);

} // namespace mtkey::aka
