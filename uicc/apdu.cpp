// SPDX-License-Identifier: Apache-2.0
#include "uicc/apdu.hpp"

#include <algorithm>
#include <cassert>

namespace mtkey::uicc {
namespace {
constexpr std::size_t kHeader = 4;
constexpr std::size_t kLongestData = 255;
constexpr std::uint16_t kLongestAnswer = 256; // Le = 00

std::uint16_t expected_length(std::uint8_t le) {
    return le == 0 ? kLongestAnswer : le;
}
} // namespace

SecretBytes CommandApdu::encode() const {
    assert(data.size() <= kLongestData);
    assert(!le || (*le >= 1 && *le <= kLongestAnswer));
    SecretBytes out(kHeader + (data.empty() ? 0 : 1 + data.size()) + (le ? 1 : 0));
    const auto octets = out.reveal_writable();
    octets[0] = cla;
    octets[1] = ins;
    octets[2] = p1;
    octets[3] = p2;
    if (!data.empty()) {
        octets[kHeader] = static_cast<std::uint8_t>(data.size());
        std::ranges::copy(data.reveal(), octets.begin() + kHeader + 1);
    }
    if (le) {
        octets.back() = static_cast<std::uint8_t>(*le & 0xFF);
    }
    return out;
}

Result<CommandApdu> parse_command(ByteView octets) {
    if (octets.size() < kHeader) {
        return fail(Errc::Malformed, "command APDU shorter than its header");
    }
    CommandApdu command;
    command.cla = octets[0];
    command.ins = octets[1];
    command.p1 = octets[2];
    command.p2 = octets[3];
    const auto body = octets.subspan(kHeader);
    if (body.empty()) {
        return command;
    }
    if (body.size() == 1) {
        command.le = expected_length(body[0]);
        return command;
    }
    const std::size_t lc = body[0];
    // Lc = 00 would start the extended form, which no command of this product needs.
    if (lc == 0 || body.size() < 1 + lc || body.size() > 2 + lc) {
        return fail(Errc::Malformed, "command APDU whose length does not agree with Lc");
    }
    command.data = SecretBytes(body.subspan(1, lc));
    if (body.size() == 2 + lc) {
        command.le = expected_length(body.back());
    }
    return command;
}

} // namespace mtkey::uicc
