// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.hpp"

#include <cassert>

namespace mtkey {

void append_u16(Bytes& out, std::size_t value) {
    assert(value <= 0xFFFF);
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value & 0xFF));
}

} // namespace mtkey
