// SPDX-License-Identifier: Apache-2.0
#include "local/cobs.hpp"

#include <array>

namespace mtkey::local {

namespace {

constexpr std::array<std::uint32_t, 256> make_crc_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value & 1) != 0 ? value >> 1 ^ 0xEDB88320U : value >> 1;
        }
        table[i] = value;
    }
    return table;
}

constexpr auto kCrcTable = make_crc_table();

} // namespace

std::uint32_t crc32(ByteView octets) {
    std::uint32_t value = 0xFFFFFFFFU;
    for (const std::uint8_t octet : octets) {
        value = value >> 8 ^ kCrcTable[(value ^ octet) & 0xFF];
    }
    return ~value;
}

Bytes cobs_encode(ByteView octets) {
    Bytes out;
    out.reserve(cobs_limit(octets.size()));
    std::size_t code_at = 0;
    std::uint8_t code = 1; // octets of the group so far, the code itself included
    out.push_back(0);
    for (std::size_t i = 0; i < octets.size(); ++i) {
        if (octets[i] != 0) {
            out.push_back(octets[i]);
            ++code;
        }
        // A full group of 254 carries no 00 of its own, so at the very end it needs no successor.
        if (octets[i] == 0 || (code == 0xFF && i + 1 < octets.size())) {
            out[code_at] = code;
            code_at = out.size();
            code = 1;
            out.push_back(0);
        }
    }
    out[code_at] = code;
    return out;
}

std::optional<Bytes> cobs_decode(ByteView octets) {
    Bytes out;
    out.reserve(octets.size());
    std::size_t i = 0;
    while (i < octets.size()) {
        const std::uint8_t code = octets[i++];
        if (code == 0 || octets.size() - i < code - 1U) {
            return std::nullopt;
        }
        for (const std::size_t end = i + code - 1U; i < end; ++i) {
            if (octets[i] == 0) {
                return std::nullopt;
            }
            out.push_back(octets[i]);
        }
        if (code != 0xFF && i < octets.size()) {
            out.push_back(0);
        }
    }
    return out;
}

} // namespace mtkey::local
