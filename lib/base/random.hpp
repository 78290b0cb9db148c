// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <span>

namespace mtkey {

/// Passed to everything that needs randomness, so that worked examples can be reproduced.
class RandomSource {
public:
    virtual ~RandomSource() = default;
    /// Fills all of `out` or fails; on failure `out` must not be used.
    [[nodiscard]] virtual Result<void> fill(std::span<std::uint8_t> out) = 0;
};

/// OpenSSL's private generator.
class SystemRandom final : public RandomSource {
public:
    [[nodiscard]] Result<void> fill(std::span<std::uint8_t> out) override;
};

} // namespace mtkey
