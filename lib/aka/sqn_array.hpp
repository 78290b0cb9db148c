// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/algorithm.hpp"

#include <cstdint>
#include <vector>

namespace mtkey::aka {

/// How SQN is read and how far ahead it may be (TS 33.102 clauses C.1.1 and C.2.1).
struct SqnRules {
    unsigned ind_bits = 5;   ///< SQN = SEQ || IND; 0 = one counter, at most 8
    std::uint64_t limit = 0; ///< Delta: how much SEQ may be above SEQ_MS; 0 = any
};

/// The USIM's memory of accepted sequence numbers (TS 33.102 clause C.2.2): owns the highest SEQ of
/// each IND, so that vectors of several users of one HSS need not come in their order.
class SqnArray {
public:
    /// No SEQ has been accepted for that IND.
    static constexpr std::int64_t kNone = -1;

    /// As if every SQN up to `highest` had been accepted, and none above.
    explicit SqnArray(const Sqn& highest = {}, SqnRules rules = {});

    /// SEQ above the one of its IND and at most `limit` above SEQ_MS.
    [[nodiscard]] bool fresh(const Sqn& sqn) const;
    void accept(const Sqn& sqn);
    /// SQN_MS of AUTS: the highest of all.
    [[nodiscard]] Sqn highest() const;

    /// What has to outlive a power cycle: one SEQ an IND.
    [[nodiscard]] const std::vector<std::int64_t>& entries() const { return seq_; }
    /// False, and nothing done, when these are not entries of an array with the same IND length.
    [[nodiscard]] bool restore(const std::vector<std::int64_t>& entries);

private:
    SqnRules rules_;
    std::vector<std::int64_t> seq_;
};

} // namespace mtkey::aka
