// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "uicc/card_channel.hpp"

#include <cstdint>
#include <functional>
#include <optional>

namespace mtkey::uicc {

/// What the card says of a PIN without being shown one.
struct PinState {
    enum class Kind {
        Satisfied, ///< verified already, or switched off
        Wanted,
        Unknown, ///< no such key reference
    };
    Kind kind = Kind::Satisfied;
    unsigned attempts_left = 0; ///< when wanted
};

/// Empty VERIFY (TS 102 221 clause 11.1.9): reads the counter, costs no attempt.
/// Errors: PinBlocked, PinFloor (the card does not tell its counter), those of CardChannel.
[[nodiscard]] Result<PinState> query_pin(CardChannel& card, std::uint8_t reference);

/// Shows the PIN once; the counter must have been read by query_pin before. Errors: InvalidArgument
/// (not 4 to 8 digits; nothing is sent), PinIncorrect (whatever the card answers that is not
/// success; detail = attempts left, 0 when it does not say), PinBlocked, those of CardChannel.
[[nodiscard]] Result<void> verify_pin(CardChannel& card, std::uint8_t reference,
                                      const SecretBytes& pin);

/// The eight octets that carry a PIN of 4 to 8 digits, filled with FF. InvalidArgument.
[[nodiscard]] Result<SecretBytes> pin_field(const SecretBytes& pin);

/// The rules between the counter and the PIN, which a SIM has too. `floor`: PinFloor below it.
/// `ask`: nothing returned = PinRequired (detail = attempts left). `counted`: told the attempts
/// left, before `ask`.
[[nodiscard]] Result<SecretBytes>
pin_to_show(unsigned attempts_left, unsigned floor,
            const std::function<std::optional<SecretBytes>()>& ask,
            const std::function<void(unsigned)>& counted);

/// query_pin, pin_to_show and verify_pin. Attempts left as read before; nothing when no PIN was
/// wanted.
[[nodiscard]] Result<std::optional<unsigned>>
satisfy_pin(CardChannel& card, std::uint8_t reference, unsigned floor,
            const std::function<std::optional<SecretBytes>()>& ask,
            const std::function<void(unsigned)>& counted = {});

} // namespace mtkey::uicc
