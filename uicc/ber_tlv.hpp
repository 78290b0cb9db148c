// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>

namespace mtkey::uicc {

/// One data object; `value` points into the octets that were read.
struct Tlv {
    std::uint32_t tag = 0; ///< its octets as they stand: 62, 4F, 9F70
    ByteView value;
};

/// Walks the BER-TLV objects of one level (ISO/IEC 7816-4 clause 5.2.2). Never goes deeper by
/// itself, so a card cannot choose the depth. Borrows the octets.
class TlvReader {
public:
    explicit TlvReader(ByteView octets) : rest_(octets) {}

    /// The next object; nothing at the end, which is also an FF in the place of a tag (unused part
    /// of a record). Octets 00 between objects are skipped. Malformed: tag above 3 octets,
    /// indefinite length, length of more than two octets or beyond the end; the reader is at its
    /// end then.
    Result<std::optional<Tlv>> next();

private:
    Result<std::uint8_t> take();
    Result<std::uint32_t> take_tag();
    Result<std::size_t> take_length();
    ByteView rest_;
};

/// The value of the first object with this tag on this level; nothing when there is none. Objects
/// behind it are not looked at, those before it must be well-formed.
Result<std::optional<ByteView>> find_tlv(ByteView octets, std::uint32_t tag);

/// Appends tag (1 to 3 octets), shortest length (values up to 65535 octets) and value; for card
/// simulators and tests.
void append_tlv(Bytes& out, std::uint32_t tag, ByteView value);

} // namespace mtkey::uicc
