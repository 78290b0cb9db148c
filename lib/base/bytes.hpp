// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mtkey {

/// Octets that are no secret. Secrets live in Secret<N> / SecretBytes (base/secret.hpp).
using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

/// The octets of a text; borrowed.
inline ByteView as_octets(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// The same octets seen as text; borrowed.
inline std::string_view as_text(ByteView octets) {
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

inline void append(Bytes& out, ByteView octets) {
    out.insert(out.end(), octets.begin(), octets.end());
}

/// Appends a 2-octet big-endian number. `value` above 65535 is a broken invariant of the caller.
void append_u16(Bytes& out, std::size_t value);

} // namespace mtkey
