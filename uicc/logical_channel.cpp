// SPDX-License-Identifier: Apache-2.0
#include "uicc/logical_channel.hpp"

#include "base/log.hpp"
#include "uicc/status.hpp"

#include <cassert>

namespace mtkey::uicc {
namespace {
constexpr std::uint8_t kManageChannel = 0x70;
constexpr std::uint8_t kClose = 0x80; // P1
constexpr std::uint8_t kLastChannel = 19;

bool has_no_channel(std::uint16_t status) {
    return status == sw::kChannelNotSupported || status == sw::kFunctionNotSupported ||
           status == sw::kInstructionNotSupported || status == sw::kClassNotSupported;
}
} // namespace

std::uint8_t class_on_channel(std::uint8_t cla, std::uint8_t channel) {
    assert(channel <= kLastChannel);
    if ((cla & 0xF0) == 0xA0) {
        return cla;
    }
    const unsigned proprietary = cla & 0x80U;
    // Secure messaging has two bits in the first form, one in the other; nothing here uses it.
    return static_cast<std::uint8_t>(channel < 4 ? proprietary | channel
                                                 : proprietary | 0x40U | (channel - 4U));
}

Result<LogicalChannel> LogicalChannel::open(CardChannel& card) {
    CommandApdu command;
    command.ins = kManageChannel;
    command.le = 1;
    const auto response = MTKEY_TRY(card.transmit(command));
    if (has_no_channel(response.sw)) {
        log(LogLevel::Info, "no logical channel on this UICC: the basic one");
        return LogicalChannel(card, 0);
    }
    if (!response.ok()) {
        return status_error(response.sw, "MANAGE CHANNEL");
    }
    const auto number = response.data.reveal();
    if (number.size() != 1 || number[0] < 1 || number[0] > kLastChannel) {
        return fail(Errc::CardFailed, "MANAGE CHANNEL opened a channel that there cannot be");
    }
    return LogicalChannel(card, number[0]);
}

LogicalChannel::~LogicalChannel() {
    if (card_ == nullptr || number_ == 0) {
        return;
    }
    CommandApdu close;
    close.ins = kManageChannel;
    close.p1 = kClose;
    close.p2 = number_;
    // A card that has gone has closed it.
    (void)card_->transmit(close);
}

Result<ResponseApdu> LogicalChannel::transmit(const CommandApdu& command) {
    if (card_ == nullptr) {
        return fail(Errc::Internal, "logical channel that was moved away");
    }
    if (number_ == 0) {
        return card_->transmit(command);
    }
    CommandApdu here;
    here.cla = class_on_channel(command.cla, number_);
    here.ins = command.ins;
    here.p1 = command.p1;
    here.p2 = command.p2;
    here.data = command.data.clone();
    here.le = command.le;
    return card_->transmit(here);
}

} // namespace mtkey::uicc
