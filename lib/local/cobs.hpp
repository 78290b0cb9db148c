// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

#include <cstdint>
#include <optional>

namespace mtkey::local {

/// CRC-32 of IEEE 802.3: polynomial 04C11DB7, reflected, start and final XOR FFFFFFFF ("123456789"
/// gives CBF43926). It finds line noise; it is no protection against anybody.
std::uint32_t crc32(ByteView octets);

/// Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999): no 00 in the result. Delimiters
/// are not included.
Bytes cobs_encode(ByteView octets);
/// Nothing when the octets are no COBS block. An empty group behind a full last one is taken too:
/// encoders differ there.
std::optional<Bytes> cobs_decode(ByteView octets);

/// Most octets that cobs_encode() makes of `size` octets.
constexpr std::size_t cobs_limit(std::size_t size) {
    return size + size / 254 + 1;
}

} // namespace mtkey::local
