// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.hpp"

#include <array>

namespace mtkey {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

Result<void> decode_hex(std::string_view text, std::span<std::uint8_t> out) {
    for (std::size_t i = 0; i < out.size(); ++i) {
        const int high = hex_value(text[2 * i]);
        const int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return fail(Errc::Malformed, "not hex");
        }
        out[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return {};
}

constexpr auto make_reverse() {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (std::size_t i = 0; i < kBase64.size(); ++i) {
        table[static_cast<unsigned char>(kBase64[i])] = static_cast<std::int8_t>(i);
    }
    return table;
}
constexpr auto kReverse = make_reverse();

} // namespace

std::string to_hex(ByteView octets) {
    std::string out;
    out.reserve(octets.size() * 2);
    for (const auto octet : octets) {
        out.push_back(kHex[octet >> 4]);
        out.push_back(kHex[octet & 0x0F]);
    }
    return out;
}

Result<Bytes> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) {
        return fail(Errc::Malformed, "odd number of hex digits");
    }
    Bytes out(text.size() / 2);
    MTKEY_CHECK(decode_hex(text, out));
    return out;
}

Result<SecretBytes> secret_from_hex(std::string_view text) {
    if (text.size() % 2 != 0) {
        return fail(Errc::Malformed, "odd number of hex digits");
    }
    SecretBytes out(text.size() / 2);
    MTKEY_CHECK(decode_hex(text, out.reveal_writable()));
    return out;
}

std::string to_base64(ByteView octets) {
    std::string out;
    out.reserve((octets.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < octets.size(); i += 3) {
        const std::size_t left = octets.size() - i;
        std::uint32_t group = static_cast<std::uint32_t>(octets[i]) << 16;
        if (left > 1) {
            group |= static_cast<std::uint32_t>(octets[i + 1]) << 8;
        }
        if (left > 2) {
            group |= octets[i + 2];
        }
        out.push_back(kBase64[(group >> 18) & 63]);
        out.push_back(kBase64[(group >> 12) & 63]);
        out.push_back(left > 1 ? kBase64[(group >> 6) & 63] : '=');
        out.push_back(left > 2 ? kBase64[group & 63] : '=');
    }
    return out;
}

Result<Bytes> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) {
        return fail(Errc::Malformed, "base64 of a wrong length");
    }
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') {
        ++padding;
    }
    Bytes out;
    out.reserve(text.size() / 4 * 3);
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text.substr(0, text.size() - padding)) {
        const int value = kReverse[static_cast<unsigned char>(c)];
        if (value < 0) {
            return fail(Errc::Malformed, "not base64");
        }
        bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xFFFFFF;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out.push_back(static_cast<std::uint8_t>(bits >> count));
        }
    }
    if ((bits & ((1U << count) - 1)) != 0) {
        return fail(Errc::Malformed, "base64 with bits behind its end");
    }
    return out;
}

} // namespace mtkey
