// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keys/bootstrap_memory.hpp"

#include <optional>

namespace mtkey::fakes {

/// What a state directory would hold, through the text that would stand there.
class RamMemory final : public keys::BootstrapMemory {
public:
    [[nodiscard]] Result<std::optional<keys::BootstrapPast>> load() override {
        if (text.empty()) {
            return std::nullopt;
        }
        auto past = keys::parse_bootstrap_past(text);
        if (!past) {
            return std::unexpected(past.error());
        }
        return *std::move(past);
    }
    [[nodiscard]] Result<void> store(const keys::BootstrapPast& past) override {
        ++stores;
        if (broken) {
            return std::unexpected(*broken);
        }
        text = keys::encode_bootstrap_past(past);
        return {};
    }

    std::string text; ///< empty = never written
    unsigned stores = 0;
    std::optional<Error> broken;
};

} // namespace mtkey::fakes
