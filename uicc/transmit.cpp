// SPDX-License-Identifier: Apache-2.0
#include "uicc/transmit.hpp"

#include <algorithm>
#include <thread>

namespace mtkey::uicc {
namespace {
constexpr std::uint8_t kGetResponse = 0xC0;
constexpr std::uint8_t kSelect = 0xA4;
constexpr std::size_t kHeader = 4;
constexpr std::size_t kLongestPart = 256 + 2;
constexpr unsigned kMostParts = 256;
// Nothing that is read here exceeds 1 KiB; what a hostile card sends lies in the secure heap (256
// KiB for the process).
constexpr std::size_t kLongestAnswer = std::size_t{16} * 1024;
constexpr unsigned kMostBusyWaits =
    10; // TS 102 221 clause 7.2.2: the card is busy with a toolkit command
constexpr std::chrono::milliseconds kBusyWait{500};

struct Part {
    SecretBytes octets;
    [[nodiscard]] ByteView data() const { return octets.reveal().first(octets.size() - 2); }
    [[nodiscard]] std::uint8_t sw1() const { return octets.reveal()[octets.size() - 2]; }
    [[nodiscard]] std::uint8_t sw2() const { return octets.reveal().back(); }
    [[nodiscard]] std::uint16_t sw() const {
        return static_cast<std::uint16_t>(sw1() << 8 | sw2());
    }
};

Result<Part> send(RawCard& card, ByteView octets) {
    auto answer = MTKEY_TRY(card.exchange(octets));
    if (answer.size() < 2 || answer.size() > kLongestPart) {
        return fail(Errc::CardFailed, "answer of " + std::to_string(answer.size()) + " octets");
    }
    return Part{std::move(answer)};
}

/// T=0 has always a P3 and never both Lc and Le (ISO/IEC 7816-3 clause 12.2.1).
SecretBytes to_wire(const CommandApdu& command, Protocol protocol) {
    auto octets = command.encode();
    if (protocol == Protocol::T1) {
        return octets;
    }
    if (command.data.empty() && !command.le) {
        SecretBytes with_p3(kHeader + 1);
        std::ranges::copy(octets.reveal(), with_p3.reveal_writable().begin());
        return with_p3;
    }
    if (!command.data.empty() && command.le) {
        return SecretBytes(octets.reveal().first(octets.size() - 1));
    }
    return octets;
}

/// GET RESPONSE goes to the command's channel and drops its proprietary bit (TS 102 221
/// clause 10.1.1).
std::uint8_t get_response_class(std::uint8_t cla) {
    if ((cla & 0xF0) == 0xA0) {
        return cla; // GSM class
    }
    return static_cast<std::uint8_t>((cla & 0x40) != 0 ? 0x40 | (cla & 0x0F) : cla & 0x03);
}

SecretBytes get_response(const CommandApdu& command, std::uint8_t length) {
    SecretBytes out(kHeader + 1);
    const auto octets = out.reveal_writable();
    octets[0] = get_response_class(command.cla);
    octets[1] = kGetResponse;
    octets[kHeader] = length;
    return out;
}

bool more_to_fetch(const Part& part) {
    return part.sw1() == 0x61 || part.sw1() == 0x9F || (part.sw() >= 0x62F1 && part.sw() <= 0x62F3);
}

/// Sends a command whose last octet is Le, once more when the card names the right one.
Result<Part> send_with_le(RawCard& card, SecretBytes octets) {
    auto part = MTKEY_TRY(send(card, octets.reveal()));
    if (part.sw1() == 0x6C) {
        octets.reveal_writable().back() = part.sw2();
        part = MTKEY_TRY(send(card, octets.reveal()));
    }
    return part;
}

Result<Part> send_command(RawCard& card, Protocol protocol, const CommandApdu& command,
                          const Sleep& sleep) {
    const bool ends_with_le = command.le && (protocol == Protocol::T1 || command.data.empty());
    const auto octets = to_wire(command, protocol);
    for (unsigned waits = 0;; ++waits) {
        auto part = MTKEY_TRY(ends_with_le ? send_with_le(card, octets.clone())
                                           : send(card, octets.reveal()));
        if (part.sw() != 0x9300 || waits == kMostBusyWaits) {
            return part;
        }
        sleep(kBusyWait);
    }
}

/// A warning to a command that expects an answer, on T=0: data may wait behind it (TS 102 221
/// clause 7.3.1.1.4). 63Cx counts attempts and has none.
bool warning_with_data(const Part& part, Protocol protocol, const CommandApdu& command) {
    const bool warning = part.sw1() == 0x62 || (part.sw1() == 0x63 && part.sw2() >> 4 != 0x0C);
    return warning && protocol == Protocol::T0 && !command.data.empty() && command.le &&
           part.data().empty();
}

SecretBytes joined(const SecretBytes& a, ByteView b) {
    SecretBytes out(a.size() + b.size());
    const auto octets = out.reveal_writable();
    std::ranges::copy(b, std::ranges::copy(a.reveal(), octets.begin()).out);
    return out;
}
} // namespace

void sleep_for_real(std::chrono::milliseconds time) {
    std::this_thread::sleep_for(time);
}

Result<ResponseApdu> transmit(RawCard& card, Protocol protocol, const CommandApdu& command,
                              const Sleep& sleep) {
    if (command.data.size() > 255 || (command.le && (*command.le < 1 || *command.le > 256))) {
        return fail(Errc::InvalidArgument, "command APDU beyond the short form");
    }
    auto part = MTKEY_TRY(send_command(card, protocol, command, sleep));
    ResponseApdu response;
    response.data = SecretBytes(part.data());
    std::optional<std::uint16_t> warning;
    if (!more_to_fetch(part) && warning_with_data(part, protocol, command)) {
        warning = part.sw();
        part = MTKEY_TRY(send_with_le(card, get_response(command, 0)));
        if (part.sw1() == 0x90 || part.sw1() == 0x61) {
            response.data = SecretBytes(part.data());
        }
    }
    for (unsigned parts = 0; more_to_fetch(part); ++parts) {
        if (parts == kMostParts) {
            return fail(Errc::CardFailed, "endless chain of GET RESPONSE");
        }
        const auto length = part.sw1() == 0x62 ? std::uint8_t{0} : part.sw2();
        part = MTKEY_TRY(send_with_le(card, get_response(command, length)));
        if (response.data.size() + part.data().size() > kLongestAnswer) {
            return fail(Errc::CardFailed, "answer without end");
        }
        if (!part.data().empty()) {
            response.data = joined(response.data, part.data());
        }
        const bool refused = part.sw1() >= 0x64 && part.sw1() <= 0x6F;
        if (refused && command.ins == kSelect) {
            // The file is selected all the same; only its description is missing.
            response.sw = 0x9000;
            return response;
        }
    }
    response.sw = warning.value_or(part.sw());
    return response;
}

} // namespace mtkey::uicc
