// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "uicc/card_channel.hpp"

#include <cstdint>
#include <utility>

namespace mtkey::uicc {

/// CLA of a command on channel 0 to 19 (TS 102 221 clause 10.1.1): 0X and 8X carry channels 0 to 3,
/// 4X and CX channels 4 to 19. GSM's class A0 knows no channels and stays.
[[nodiscard]] std::uint8_t class_on_channel(std::uint8_t cla, std::uint8_t channel);

/// Owns a logical channel of a card that others use as well (a modem, for instance): a selection of
/// its own. Borrows the card, which must outlive it; closes the channel at its end.
class LogicalChannel final : public CardChannel {
public:
    /// MANAGE CHANNEL (TS 102 221 clause 11.1.17). A card that has none, or none left (68 81, 6A
    /// 81, 6D 00, 6E 00), is used on the basic channel: then nobody else may use it meanwhile.
    [[nodiscard]] static Result<LogicalChannel> open(CardChannel& card);
    LogicalChannel(LogicalChannel&& other) noexcept
        : card_(std::exchange(other.card_, nullptr)), number_(other.number_) {}
    LogicalChannel& operator=(LogicalChannel&&) = delete;
    LogicalChannel(const LogicalChannel&) = delete;
    LogicalChannel& operator=(const LogicalChannel&) = delete;
    ~LogicalChannel() override;

    /// Commands as for the basic channel; GET RESPONSE below follows their class.
    [[nodiscard]] Result<ResponseApdu> transmit(const CommandApdu& command) override;
    [[nodiscard]] std::uint8_t number() const { return number_; } ///< 0 = the basic channel

private:
    LogicalChannel(CardChannel& card, std::uint8_t number) : card_(&card), number_(number) {}
    CardChannel* card_;
    std::uint8_t number_;
};

} // namespace mtkey::uicc
