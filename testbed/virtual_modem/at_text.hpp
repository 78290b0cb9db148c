// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/secret.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mtkey::testbed {

/// What stands behind AT, in either case; nothing when the line is no command.
std::optional<std::string_view> at_command(std::string_view line);
std::string upper_case(std::string_view text);
std::string_view without_quotes(std::string_view text);
std::optional<unsigned> unsigned_number(std::string_view text);
/// <length>,"<hex>": nothing when they do not agree. Quotes may be missing.
std::optional<Bytes> apdu_argument(std::string_view text);
/// An answer's line (ITU-T V.250 clause 5.7.1).
std::string framed(std::string_view text);
/// Digits two an octet, the first one in the low nibble, up to the padding.
std::string swapped_digits(ByteView octets);

SecretBytes joined(ByteView first, ByteView second);
/// A command with another P3, or Le behind its data.
SecretBytes with_le(ByteView command, std::uint8_t le);

} // namespace mtkey::testbed
