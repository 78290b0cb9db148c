// SPDX-License-Identifier: Apache-2.0
#include "uicc/apdu.hpp"
#include "base/encoding.hpp"
#include "tools/mtkey-card/commands.hpp"
#include "tools/mtkey-card/redact.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace mtkey::tools {
namespace {
using nlohmann::json;

struct Meaning {
    std::uint16_t sw;
    std::uint16_t mask;
    const char* text;
};
// TS 102 221 clause 10.2.1, TS 31.102 clause 7.3.
constexpr std::array kMeanings{
    Meaning{0x9000, 0xFFFF, "done"},
    Meaning{0x9100, 0xFF00, "done; a proactive command waits"},
    Meaning{0x6100, 0xFF00, "done; answer to be fetched"},
    Meaning{0x6C00, 0xFF00, "wrong Le; the right one is in SW2"},
    Meaning{0x6282, 0xFFFF, "end of file before Le octets"},
    Meaning{0x6283, 0xFFFF, "file deactivated"},
    Meaning{0x6200, 0xFF00, "warning, nothing changed"},
    Meaning{0x63C0, 0xFFF0, "refused; attempts left in SW2"},
    Meaning{0x6700, 0xFFFF, "wrong length"},
    Meaning{0x6881, 0xFFFF, "no logical channels"},
    Meaning{0x6982, 0xFFFF, "security status not satisfied: PIN?"},
    Meaning{0x6983, 0xFFFF, "blocked"},
    Meaning{0x6984, 0xFFFF, "referenced data not usable: PIN off?"},
    Meaning{0x6985, 0xFFFF, "conditions of use not satisfied"},
    Meaning{0x6986, 0xFFFF, "no file selected"},
    Meaning{0x6A80, 0xFFFF, "wrong data"},
    Meaning{0x6A81, 0xFFFF, "function not supported"},
    Meaning{0x6A82, 0xFFFF, "file not found"},
    Meaning{0x6A83, 0xFFFF, "record not found"},
    Meaning{0x6A86, 0xFFFF, "wrong P1 P2"},
    Meaning{0x6A88, 0xFFFF, "referenced data not found"},
    Meaning{0x6B00, 0xFFFF, "wrong P1 P2 or offset"},
    Meaning{0x6D00, 0xFFFF, "instruction not supported"},
    Meaning{0x6E00, 0xFFFF, "class not supported"},
    Meaning{0x9300, 0xFFFF, "busy with a toolkit command"},
    Meaning{0x9862, 0xFFFF, "authentication: wrong MAC"},
    Meaning{0x9864, 0xFFFF, "authentication: context not supported"},
    Meaning{0x9865, 0xFFFF, "authentication: key not fresh"},
};

std::string meaning_of(std::uint16_t sw) {
    const auto* found = std::ranges::find_if(
        kMeanings, [sw](const Meaning& one) { return (sw & one.mask) == one.sw; });
    return found == kMeanings.end() ? "" : found->text;
}

Result<SecretBytes> send(Card& card, ByteView command, bool raw) {
    if (raw) {
        return card.raw().exchange(command);
    }
    const auto response =
        MTKEY_TRY(card.channel().transmit(MTKEY_TRY(uicc::parse_command(command))));
    SecretBytes answer(response.data.size() + 2);
    const auto octets = answer.reveal_writable();
    std::ranges::copy(response.data.reveal(), octets.begin());
    octets[octets.size() - 2] = static_cast<std::uint8_t>(response.sw >> 8);
    octets[octets.size() - 1] = static_cast<std::uint8_t>(response.sw & 0xFF);
    return answer;
}
} // namespace

Document send_apdus(Card& card, const Options& options, const std::vector<SecretBytes>& commands,
                    bool raw) {
    auto redactor = MTKEY_TRY(Redactor::make());
    auto exchanges = json::array();
    for (const auto& command : commands) {
        const auto begin = std::chrono::steady_clock::now();
        const auto answer = MTKEY_TRY(send(card, command.reveal(), raw));
        const std::chrono::duration<double, std::milli> time =
            std::chrono::steady_clock::now() - begin;
        if (answer.size() < 2) {
            return fail(Errc::CardFailed, card.place() + ": an answer without status word");
        }
        const auto octets = answer.reveal();
        const auto sw = static_cast<std::uint16_t>(octets[octets.size() - 2] << 8 | octets.back());
        const auto shown = redactor(command.reveal(), octets);
        const auto& secrets = options.secrets;
        const ByteView data = secrets ? octets.first(octets.size() - 2)
                                      : ByteView(shown.answer).first(shown.answer.size() - 2);
        exchanges.push_back(
            {{"command", secrets ? to_hex(command.reveal()) : to_hex(shown.command)},
             {"data", to_hex(data)},
             {"sw", to_hex(octets.last(2))},
             {"meaning", meaning_of(sw)},
             {"redacted", shown.redacted && !secrets},
             {"ms", time.count()}});
    }
    return json{{"place", card.place()}, {"access", card.access()}, {"exchanges", exchanges}};
}

void show_apdus(const json& document) {
    for (const auto& one : document["exchanges"]) {
        std::printf("> %s\n", one["command"].get<std::string>().c_str());
        if (one["data"] != "") {
            std::printf("< %s%s\n", one["data"].get<std::string>().c_str(),
                        one["redacted"].get<bool>() ? "   (redacted; --secrets shows it)" : "");
        }
        std::printf("< %s   %s   %.2f ms\n", one["sw"].get<std::string>().c_str(),
                    one["meaning"].get<std::string>().c_str(), one["ms"].get<double>());
    }
}

} // namespace mtkey::tools
