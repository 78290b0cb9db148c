// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "uicc/card_channel.hpp"

#include <array>
#include <string_view>
#include <variant>

namespace mtkey::uicc {

/// One struct, so that two 16-octet arguments cannot be swapped.
struct Challenge {
    std::array<std::uint8_t, 16> rand;
    std::array<std::uint8_t, 16> autn;
    bool operator==(const Challenge&) const = default;
};

struct SyncFailure {
    std::array<std::uint8_t, 14> auts;
};

/// Both answers of each command are those of a healthy card, so neither is an Error.
struct AkaKeys {
    SecretBytes res; ///< 4 to 16 octets
    Secret<16> ck;
    Secret<16> ik;
};
using AkaOutcome = std::variant<AkaKeys, SyncFailure>;

struct Bootstrapped {
    SecretBytes res; ///< 4 to 16 octets, as the card gives it (GBA_U: already flipped)
};
using BootstrapOutcome = std::variant<Bootstrapped, SyncFailure>;

// Errors of all three: MacFailure (98 62), NotSupportedByCard (98 64, 6A 81, 6A 86, 6B 00, 6D 00),
// PinRequired (69 82), NoKsOnCard (DE only: 69 85, 6A 88), KeyFreshness (98 65), CardFailed
// (anything else), and those of CardChannel. `detail` is SW1SW2. The application must be selected
// and its PIN verified. 6E 00 says nothing about a context: it is what a card in a GSM session says
// to every command of a USIM.

/// AUTHENTICATE, 3G security context, P2 = 81 (TS 31.102 clause 7.1.2.1).
[[nodiscard]] Result<AkaOutcome> authenticate_3g(CardChannel& card, const Challenge& challenge);
/// AUTHENTICATE, GBA context, bootstrapping mode, P2 = 84, tag DD. Ks stays in the card.
[[nodiscard]] Result<BootstrapOutcome> gba_bootstrap(CardChannel& card, const Challenge& challenge);
/// AUTHENTICATE, GBA context, NAF derivation mode, tag DE (TS 33.220 clause G.2): Ks_ext_NAF.
/// `naf_id`: FQDN || 5 octets. InvalidArgument when NAF_ID and IMPI do not fit one command (252
/// octets together).
[[nodiscard]] Result<Secret<32>> gba_derive_naf(CardChannel& card, ByteView naf_id,
                                                std::string_view impi);

} // namespace mtkey::uicc
