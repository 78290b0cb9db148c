// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace mtkey::daemon {

/// Which PIN a card is shown, and which it never is again (threats U5): one that was refused is not
/// sent a second time to the same card, nor one whose answer was lost and that has cost an attempt.
class PinMemory {
public:
    /// "" = no file; else it is read each time: 0600, digits.
    explicit PinMemory(std::string pin_file) : pin_file_(std::move(pin_file)) {}

    /// By a user, to be shown in place of the file's until forget_given().
    void give(SecretBytes pin) { given_ = std::move(pin); }
    void forget_given() { given_.reset(); }

    /// The counter as the card tells it before a PIN is asked for.
    void counted(std::string_view iccid, unsigned attempts_left);
    /// Nothing: none is to be shown.
    [[nodiscard]] std::optional<SecretBytes> pin_for(std::string_view iccid);
    /// The card asked last has said PinIncorrect.
    void refused();

private:
    [[nodiscard]] std::optional<SecretBytes> read_file() const;

    std::string pin_file_;
    std::optional<SecretBytes> given_;
    std::set<std::string, std::less<>> refused_; ///< ICCIDs
    std::string asked_iccid_;                    ///< of the card that wanted its PIN last
    unsigned asked_attempts_ = 0;                ///< what it had left then
    struct Shown {
        std::string iccid;
        unsigned attempts_left = 0; ///< before
    };
    std::optional<Shown> unsure_; ///< of the file; until the counter is read again
};

} // namespace mtkey::daemon
