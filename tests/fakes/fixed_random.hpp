// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/encoding.hpp"
#include "base/random.hpp"

#include <algorithm>
#include <deque>
#include <string_view>

namespace mtkey::fakes {

/// A queue of octets in place of randomness; fails (RandomFailed) when it runs dry.
class FixedRandom final : public RandomSource {
public:
    FixedRandom() = default;
    explicit FixedRandom(std::string_view hex) { push_hex(hex); }

    void push(ByteView octets) { queue_.insert(queue_.end(), octets.begin(), octets.end()); }
    /// A text that is not hex is a mistake of the test (std::terminate).
    void push_hex(std::string_view hex) { push(from_hex(hex).value()); }
    [[nodiscard]] std::size_t left() const { return queue_.size(); }
    [[nodiscard]] bool finished() const { return queue_.empty(); }

    [[nodiscard]] Result<void> fill(std::span<std::uint8_t> out) override {
        if (queue_.size() < out.size()) {
            return fail(Errc::RandomFailed, "the fixed random octets are used up");
        }
        const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(out.size());
        std::copy(queue_.begin(), end, out.begin());
        queue_.erase(queue_.begin(), end);
        return {};
    }

private:
    std::deque<std::uint8_t> queue_;
};

} // namespace mtkey::fakes
