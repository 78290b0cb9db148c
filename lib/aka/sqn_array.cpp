// SPDX-License-Identifier: Apache-2.0
#include "aka/sqn_array.hpp"

#include "aka/aka.hpp"

#include <algorithm>
#include <cassert>

namespace mtkey::aka {
namespace {

constexpr unsigned kSqnBits = 48;

struct Parts {
    std::int64_t seq;
    std::size_t ind;
};

Parts split(const Sqn& sqn, unsigned ind_bits) {
    const std::uint64_t number = sqn_to_number(sqn);
    return {static_cast<std::int64_t>(number >> ind_bits),
            static_cast<std::size_t>(number & ((std::uint64_t{1} << ind_bits) - 1))};
}

} // namespace

SqnArray::SqnArray(const Sqn& highest, SqnRules rules) : rules_(rules) {
    assert(rules.ind_bits <= 8);
    const auto [seq, ind] = split(highest, rules.ind_bits);
    seq_.assign(std::size_t{1} << rules.ind_bits, seq - 1);
    std::fill_n(seq_.begin(), ind + 1, seq);
}

bool SqnArray::fresh(const Sqn& sqn) const {
    const auto [seq, ind] = split(sqn, rules_.ind_bits);
    if (seq <= seq_[ind]) {
        return false;
    }
    const std::int64_t seq_ms = std::max<std::int64_t>(std::ranges::max(seq_), 0);
    return rules_.limit == 0 || seq <= seq_ms ||
           static_cast<std::uint64_t>(seq - seq_ms) <= rules_.limit;
}

void SqnArray::accept(const Sqn& sqn) {
    const auto [seq, ind] = split(sqn, rules_.ind_bits);
    seq_[ind] = seq;
}

Sqn SqnArray::highest() const {
    const std::int64_t seq_ms = std::ranges::max(seq_);
    if (seq_ms == kNone) {
        return {};
    }
    const auto last = std::find(seq_.rbegin(), seq_.rend(), seq_ms);
    const auto ind = static_cast<std::uint64_t>(seq_.rend() - last - 1);
    return sqn_from_number(static_cast<std::uint64_t>(seq_ms) << rules_.ind_bits | ind);
}

bool SqnArray::restore(const std::vector<std::int64_t>& entries) {
    const std::int64_t end = std::int64_t{1} << (kSqnBits - rules_.ind_bits);
    if (entries.size() != seq_.size() ||
        std::ranges::any_of(entries, [&](auto seq) { return seq < kNone || seq >= end; })) {
        return false;
    }
    seq_ = entries;
    return true;
}

} // namespace mtkey::aka
