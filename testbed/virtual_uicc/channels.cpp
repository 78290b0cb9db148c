// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/channels.hpp"

#include <algorithm>

namespace mtkey::testbed {
namespace {
constexpr std::uint8_t kOpen = 0x00;
constexpr std::uint8_t kClose = 0x80;
} // namespace

std::optional<CommandClass> parse_class(std::uint8_t cla) {
    CommandClass out{.proprietary = (cla & 0x80) != 0};
    if ((cla & 0x40) != 0) {
        out.channel = 4U + (cla & 0x0F);
        out.secure_messaging = (cla & 0x20) != 0;
        return (cla & 0x10) == 0 ? std::optional(out) : std::nullopt;
    }
    out.channel = cla & 0x03;
    out.secure_messaging = (cla & 0x0C) != 0;
    return (cla & 0x30) == 0 ? std::optional(out) : std::nullopt;
}

Channels::Channels(unsigned count) : count_(std::clamp(count, 1U, kMost)) {
    reset();
}

void Channels::reset() {
    open_.fill(std::nullopt);
    open_[0].emplace();
}

Selection* Channels::find(unsigned channel) {
    return channel < kMost && open_[channel] ? &*open_[channel] : nullptr;
}

Answer Channels::manage(const uicc::CommandApdu& command, unsigned from) {
    if (count_ == 1) {
        return refuse(sw::kNoLogicalChannel);
    }
    if (command.p1 == kOpen) {
        return open(command.p2, from);
    }
    if (command.p1 != kClose || command.p2 == 0) {
        return refuse(sw::kWrongParameters);
    }
    if (find(command.p2) == nullptr) {
        return refuse(sw::kNoLogicalChannel);
    }
    open_[command.p2].reset();
    return done();
}

/// Opened from the basic channel it starts at the MF, else where the channel is that opened it.
Answer Channels::open(unsigned wanted, unsigned from) {
    unsigned channel = wanted == 0 ? 1 : wanted;
    while (wanted == 0 && channel < count_ && open_[channel]) {
        ++channel;
    }
    if (channel >= count_ || open_[channel]) {
        return refuse(sw::kNotSupported);
    }
    open_[channel] = from == 0 ? Selection{} : *open_[from];
    if (wanted != 0) {
        return done();
    }
    const std::uint8_t number[] = {static_cast<std::uint8_t>(channel)};
    return {SecretBytes(ByteView(number)), sw::kOk};
}

} // namespace mtkey::testbed
