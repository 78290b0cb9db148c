// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_modem/at_text.hpp"

#include "base/encoding.hpp"

#include <algorithm>
#include <charconv>

namespace mtkey::testbed {
namespace {

constexpr std::size_t kHeader = 5;

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\n");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t\n") - first + 1);
}

} // namespace

std::string upper_case(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return out;
}

std::optional<std::string_view> at_command(std::string_view line) {
    line = trimmed(line);
    if (line.size() < 2 || upper_case(line.substr(0, 2)) != "AT") {
        return std::nullopt;
    }
    return trimmed(line.substr(2));
}

std::string_view without_quotes(std::string_view text) {
    text = trimmed(text);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
        return text.substr(1, text.size() - 2);
    }
    return text;
}

std::optional<unsigned> unsigned_number(std::string_view text) {
    text = trimmed(text);
    unsigned out = 0;
    const char* end = text.data() + text.size();
    const auto done = std::from_chars(text.data(), end, out);
    if (done.ec != std::errc() || done.ptr != end) {
        return std::nullopt;
    }
    return out;
}

std::optional<Bytes> apdu_argument(std::string_view text) {
    const auto comma = text.find(',');
    if (comma == std::string_view::npos) {
        return std::nullopt;
    }
    const auto length = unsigned_number(text.substr(0, comma));
    const auto hex = without_quotes(text.substr(comma + 1));
    auto octets = from_hex(hex);
    if (!length || *length != hex.size() || !octets) {
        return std::nullopt;
    }
    return std::move(*octets);
}

std::string framed(std::string_view text) {
    return "\r\n" + std::string(text) + "\r\n";
}

std::string swapped_digits(ByteView octets) {
    std::string out;
    for (const auto octet : octets) {
        for (const unsigned nibble : {octet & 0x0FU, static_cast<unsigned>(octet >> 4)}) {
            if (nibble > 9) {
                return out;
            }
            out += static_cast<char>('0' + nibble);
        }
    }
    return out;
}

SecretBytes joined(ByteView first, ByteView second) {
    SecretBytes out(first.size() + second.size());
    std::ranges::copy(second, std::ranges::copy(first, out.reveal_writable().begin()).out);
    return out;
}

SecretBytes with_le(ByteView command, std::uint8_t le) {
    const bool has_data = command.size() > kHeader;
    const std::size_t kept = has_data ? kHeader + command[kHeader - 1] : kHeader - 1;
    const std::uint8_t last[] = {le};
    return joined(command.first(std::min(kept, command.size())), last);
}

} // namespace mtkey::testbed
