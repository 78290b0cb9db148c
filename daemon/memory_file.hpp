// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "keys/bootstrap_memory.hpp"

#include <string>

namespace mtkey::daemon {

/// The file "bootstrap" in the state directory: ours alone (0600), written as a whole or not at
/// all. One that cannot be believed is renamed to "bootstrap.bad". Without a directory nothing is
/// remembered.
class MemoryFile final : public keys::BootstrapMemory {
public:
    /// "" = no directory.
    explicit MemoryFile(const std::string& state_dir);
    [[nodiscard]] Result<std::optional<keys::BootstrapPast>> load() override;
    [[nodiscard]] Result<void> store(const keys::BootstrapPast& past) override;
    [[nodiscard]] Result<void> remove() const; ///< no error without it

private:
    std::string path_;
};

} // namespace mtkey::daemon
