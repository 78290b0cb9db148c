// SPDX-License-Identifier: Apache-2.0
#include "aka/sqn_generation.hpp"

#include "aka/aka.hpp"

#include <algorithm>

namespace mtkey::aka {
namespace {

constexpr unsigned kIndBits = 5;
constexpr std::uint64_t kInd = (1U << kIndBits) - 1;
/// Delta of TS 33.102 clause C.2.1, as annex C.3 recommends it: a card takes no larger step of SEQ.
constexpr std::int64_t kAcceptedJump = std::int64_t{1} << 28;
constexpr std::uint64_t kSqn = (std::uint64_t{1} << 48) - 1;

std::uint64_t seq_of(std::uint64_t sqn) {
    return (sqn & kSqn) >> kIndBits;
}

std::uint64_t compose(std::uint64_t seq, std::uint64_t ind) {
    return ((seq << kIndBits) | (ind & kInd)) & kSqn;
}

/// GLC of clause C.1.1.3. DRAFT-GAP(sqn-time): its unit is ours.
std::int64_t seconds_of(UtcTime now) {
    return now.time_since_epoch().count();
}

/// One SEQ more; the next IND, but for FixedInd.
std::uint64_t above(std::uint64_t sqn, SqnScheme scheme) {
    return compose(seq_of(sqn) + 1, sqn + (scheme == SqnScheme::FixedInd ? 0 : 1));
}

} // namespace

Sqn take_sqn(SqnState& state, SqnScheme scheme, UtcTime now) {
    auto sqn = state.next & kSqn;
    if (scheme == SqnScheme::Time) {
        const auto seq = static_cast<std::int64_t>(seq_of(sqn));
        state.dif = state.dif.value_or(seq - seconds_of(now));
        // A clock that was set back, and several vectors in a second: the counter goes on.
        const auto by_clock = std::max(seq, seconds_of(now) + *state.dif);
        sqn = compose(static_cast<std::uint64_t>(by_clock), sqn);
    }
    state.next = above(sqn, scheme);
    if (seq_of(state.next) == 0) { // wrapped: the old DIF would lead back
        state.dif.reset();
    }
    return sqn_from_number(sqn);
}

void resynchronise_sqn(SqnState& state, SqnScheme scheme, const Sqn& sqn_ms, UtcTime now) {
    // TS 33.102 clause 6.3.5: one that the card would accept is not taken back. (A delayed AUTS
    // would have us give a number twice.)
    const auto ahead = static_cast<std::int64_t>(seq_of(state.next)) -
                       static_cast<std::int64_t>(seq_of(sqn_to_number(sqn_ms)));
    if (ahead > 0 && ahead <= kAcceptedJump) {
        return;
    }
    state.next = above(sqn_to_number(sqn_ms), scheme);
    state.dif.reset();
    if (scheme == SqnScheme::Time) {
        state.dif = static_cast<std::int64_t>(seq_of(state.next)) - seconds_of(now);
    }
}

} // namespace mtkey::aka
