// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/hash.hpp"
#include "base/secret.hpp"

#include <functional>

namespace mtkey {

/// What everything secret here rests on. Replaceable, so that a test can break each.
struct Primitives {
    std::function<Secret<32>(ByteView key, ByteView message)> hmac_sha256;
    std::function<Result<Secret<32>>(ByteView ck_ik)>
        ks_naf; ///< for the inputs of the known answer
    /// Opens a sealed file under the KEK 00 01 .. 1F: HKDF, key commitment, AES-256-GCM.
    std::function<Result<SecretBytes>(ByteView file)> unseal;
    std::function<void(std::span<std::uint8_t>)> wipe;
    std::function<void(SecretBytes&)> release;
    [[nodiscard]] static Primitives real();
};

/// Once at the start, after init_secure_heap(): HMAC (RFC 4231), the KDF (TS 33.220 clause B.3),
/// the container of the key store, which must also refuse an altered one, and wiping, each against
/// values from elsewhere. CryptoFailed names what is wrong: a program that holds keys must not go
/// on.
[[nodiscard]] Result<void> self_test(const Primitives& primitives = Primitives::real());

} // namespace mtkey
