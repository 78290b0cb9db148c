// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/secret.hpp"

#include <array>
#include <initializer_list>

namespace mtkey {

/// Whether OpenSSL has what this library and lib/aka compute with. Internal: which it lacks.
[[nodiscard]] Result<void> check_algorithms();

/// One-shot hashes over the concatenation of `parts`. Without memory OpenSSL cannot hash:
/// std::bad_alloc.
std::array<std::uint8_t, 16> md5(std::initializer_list<ByteView> parts);
std::array<std::uint8_t, 20> sha1(std::initializer_list<ByteView> parts);
std::array<std::uint8_t, 32> sha256(std::initializer_list<ByteView> parts);

/// HMAC-SHA-256 over the concatenation of `parts`. The result is as secret as its use: a MAC may be
/// copied out.
Secret<32> hmac_sha256(ByteView key, std::initializer_list<ByteView> parts);
Secret<32> hmac_sha256(ByteView key, std::span<const ByteView> parts);

} // namespace mtkey
