// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "uicc/card_channel.hpp"

#include <chrono>
#include <cstdint>
#include <functional>

namespace mtkey::uicc {

/// What the reader is given and gives back, octet for octet: a PC/SC handle or a script.
class RawCard {
public:
    virtual ~RawCard() = default;
    /// Command down, data followed by SW1 SW2 up. Errors as those of CardChannel.
    [[nodiscard]] virtual Result<SecretBytes> exchange(ByteView command) = 0;
};

enum class Protocol : std::uint8_t { T0, T1 };

/// Waits that long; tests pass their own.
using Sleep = std::function<void(std::chrono::milliseconds)>;
void sleep_for_real(std::chrono::milliseconds time);

/// One command with everything that the transport protocol makes of it (TS 102 221 clause 7.3): the
/// T=0 forms, chains of GET RESPONSE after 61xx, 9Fxx and 62F1 to 62F3, data behind a warning
/// (62xx, 63xx: the warning stays the status word), one correction of Le after 6Cxx, and waiting
/// while the card is busy with its toolkit (9300). A command that the card may have executed is
/// never sent a second time. Errors: those of `card`, InvalidArgument (data or Le too long),
/// CardFailed (an answer without status word, an endless chain).
[[nodiscard]] Result<ResponseApdu> transmit(RawCard& card, Protocol protocol,
                                            const CommandApdu& command, const Sleep& sleep);

/// The same as a channel. Borrows the card.
class MappedChannel final : public CardChannel {
public:
    MappedChannel(RawCard& card, Protocol protocol, Sleep sleep = sleep_for_real)
        : card_(card), protocol_(protocol), sleep_(std::move(sleep)) {}
    [[nodiscard]] Result<ResponseApdu> transmit(const CommandApdu& command) override {
        return uicc::transmit(card_, protocol_, command, sleep_);
    }

private:
    RawCard& card_;
    Protocol protocol_;
    Sleep sleep_;
};

} // namespace mtkey::uicc
