// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <string>
#include <string_view>

namespace mtkey {

/// Lower-case hex. Never for key octets (they stay in Secret).
std::string to_hex(ByteView octets);
/// Either case, even length, no separators.
Result<Bytes> from_hex(std::string_view text);
/// The same into the secure heap; for key files.
Result<SecretBytes> secret_from_hex(std::string_view text);

/// RFC 4648 section 4, padded.
std::string to_base64(ByteView octets);
/// Strict: padded, no white space, no octets behind the padding, unused bits zero.
Result<Bytes> from_base64(std::string_view text);

} // namespace mtkey
