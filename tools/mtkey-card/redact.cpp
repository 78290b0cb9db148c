// SPDX-License-Identifier: Apache-2.0
#include "tools/mtkey-card/redact.hpp"

#include "base/hash.hpp"
#include "base/random.hpp"

#include <algorithm>

namespace mtkey::tools {
namespace {
constexpr std::size_t kHeader = 5; // CLA INS P1 P2 P3
constexpr std::uint8_t kHidden = 0xEE;

constexpr std::uint8_t kSelect = 0xA4;
constexpr std::uint8_t kGetResponse = 0xC0;

// VERIFY, CHANGE, DISABLE, ENABLE, UNBLOCK PIN (TS 102 221 clause 10.1.2)
constexpr std::array<std::uint8_t, 5> kPinCommands{0x20, 0x24, 0x26, 0x28, 0x2C};
constexpr std::array<std::uint8_t, 2> kAuthenticate{0x88, 0x89};
constexpr std::array<std::uint8_t, 4> kRead{0xB0, 0xB1, 0xB2, 0xB3};
constexpr std::array<std::uint8_t, 4> kUpdate{0xD6, 0xD7, 0xDC, 0xDD};
// Keys, KeysPS, EPSNSC, Kc, KcGPRS, 5GS security contexts and keys (TS 31.102 clause 4.2), Kc of
// the 2G directory, and what sysmocom's cards keep K, OPc and Ks of GBA in.
constexpr std::array<std::uint16_t, 13> kKeyFiles{0x6F08, 0x6F09, 0x6FE4, 0x4F20, 0x4F52,
                                                  0x4F03, 0x4F04, 0x4F05, 0x6F20, 0x6F52,
                                                  0xAF20, 0xAF31, 0xAF33};
// Their short identifiers in the USIM.
constexpr std::array<std::uint8_t, 4> kKeySfis{0x08, 0x09, 0x18, 0x01};

bool contains(const auto& list, const auto& value) {
    return std::ranges::find(list, value) != list.end();
}

/// READ and UPDATE BINARY with P1 b8: the file is named by its short identifier; records by P2.
bool names_key_file(ByteView command) {
    const bool binary = (command[1] & 0xFE) == 0xB0 || (command[1] & 0xFE) == 0xD6;
    if (binary && (command[2] & 0x80) != 0) {
        return contains(kKeySfis, static_cast<std::uint8_t>(command[2] & 0x1F));
    }
    return false;
}
} // namespace

bool is_key_file(std::uint16_t identifier) {
    return contains(kKeyFiles, identifier);
}

Result<Redactor> Redactor::make() {
    Secret<32> salt;
    MTKEY_CHECK(SystemRandom().fill(salt.reveal_writable()));
    return Redactor(std::move(salt));
}

void Redactor::hide(std::span<std::uint8_t> secret) const {
    const auto tag = hmac_sha256(salt_.reveal(), {secret});
    std::ranges::fill(secret, kHidden);
    if (secret.size() >= 4) {
        std::ranges::copy(tag.reveal().first(2), secret.end() - 2);
    }
}

/// DB L RES [L CK L IK [L Kc]] keeps its lengths; DC L AUTS is no secret (TS 31.102 clause 7.1.2).
void Redactor::hide_authentication(std::span<std::uint8_t> data) const {
    if (!data.empty() && data[0] == 0xDC) {
        return;
    }
    if (data.empty() || data[0] != 0xDB) {
        hide(data);
        return;
    }
    for (auto rest = data.subspan(1); !rest.empty();) {
        const std::size_t length = std::min<std::size_t>(rest[0], rest.size() - 1);
        hide(rest.subspan(1, length));
        rest = rest.subspan(1 + length);
    }
}

void Redactor::follow_selection(ByteView command) {
    const std::size_t lc = command.size() > kHeader ? command[4] : 0;
    key_file_selected_ = false;
    if (command[2] != 0x04 && lc >= 2 && command.size() >= kHeader + lc) {
        const auto file = command.subspan(kHeader + lc - 2, 2);
        key_file_selected_ = is_key_file(static_cast<std::uint16_t>(file[0] << 8 | file[1]));
    }
}

Redactor::Exchange Redactor::operator()(ByteView command, ByteView answer) {
    Exchange out{{command.begin(), command.end()}, {answer.begin(), answer.end()}, false};
    if (command.size() < 4) {
        return out;
    }
    const auto ins = command[1];
    const bool key_file = key_file_selected_ || names_key_file(command);
    if (ins == kSelect) {
        follow_selection(command);
    }
    if (ins != kGetResponse) {
        pending_ = contains(kAuthenticate, ins)       ? Answer::Authentication
                   : contains(kRead, ins) && key_file ? Answer::Secret
                                                      : Answer::Plain;
    }
    const bool secret_command = contains(kPinCommands, ins) || (contains(kUpdate, ins) && key_file);
    if (secret_command && command.size() > kHeader) {
        hide(std::span(out.command).subspan(kHeader));
        out.redacted = true;
    }
    if (pending_ != Answer::Plain && answer.size() > 2) {
        const auto data = std::span(out.answer).first(answer.size() - 2);
        if (pending_ == Answer::Authentication) {
            hide_authentication(data);
        } else {
            hide(data);
        }
        out.redacted = !std::ranges::equal(out.answer, answer) || out.redacted;
    }
    return out;
}

} // namespace mtkey::tools
