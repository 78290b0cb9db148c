// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/aka.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "kdf/gba_2g.hpp"

#include <string>

namespace mtkey::bsf {

/// A challenge for a SIM, and what the answer to it is checked against (TS 33.220 annex I,
/// TS 24.109 annex H.2). GSM does not authenticate the network: it may leave over TLS alone.
struct Challenge2g {
    std::string nonce;    ///< base64(RAND || 16 octets 00 || Ks-input)
    SecretBytes password; ///< RES, 16 octets
    Secret<32> ks;
};

/// SRES and Kc are those of the vector by the conversion functions c2 and c3. `ks_input`: 16 fresh
/// random octets.
[[nodiscard]] Result<Challenge2g> make_2g_challenge(const aka::Vector& vector,
                                                    const kdf::KsInput& ks_input);

} // namespace mtkey::bsf
