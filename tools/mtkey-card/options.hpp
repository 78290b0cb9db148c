// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tools/mtkey-card/card.hpp"

#include <functional>
#include <optional>
#include <string>

namespace mtkey::tools {

/// What the command line says.
struct Options {
    CardPlace place;
    std::string application = "usim"; ///< usim, isim, or the beginning of an AID in hex
    bool json = false;
    bool secrets = false;
    bool show_identity = false;
    std::string trace; ///< capture file; empty = none
    /// Asked when the card wants its PIN; empty function = it is not shown one.
    std::function<Result<SecretBytes>()> pin;
};

/// From the terminal without echo, never from arguments: those are everybody's to read.
/// PinRequired without a terminal.
[[nodiscard]] Result<SecretBytes> ask_pin_on_terminal(const std::string& question);
/// All of an inherited descriptor, without the end of its line.
[[nodiscard]] Result<SecretBytes> read_pin_fd(int fd);

} // namespace mtkey::tools
