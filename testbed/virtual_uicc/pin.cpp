// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/pin.hpp"

#include <algorithm>

namespace mtkey::testbed {

Pin::Pin(std::uint8_t reference, ByteView digits, unsigned attempts)
    : reference_(reference), enabled_(!digits.empty()), attempts_(attempts), left_(attempts) {
    const auto field = padded_.reveal_writable();
    std::ranges::fill(field, std::uint8_t{0xFF});
    std::ranges::copy(digits.first(std::min(digits.size(), kField)), field.begin());
}

Answer Pin::tries_left() const {
    return refuse(static_cast<std::uint16_t>(sw::kTriesLeft | left_));
}

/// Without data it asks for the counter and changes nothing.
Answer Pin::verify(const uicc::CommandApdu& command) {
    if (command.p1 != 0x00) {
        return refuse(sw::kWrongParameters);
    }
    if (!enabled_) {
        return refuse(sw::kPinDisabled);
    }
    if (command.data.empty()) {
        return tries_left();
    }
    if (command.data.size() != kField) {
        return refuse(sw::kWrongLength);
    }
    if (left_ == 0) {
        return refuse(sw::kPinBlocked);
    }
    verified_ = equal_constant_time(command.data.reveal(), padded_.reveal());
    if (!verified_) {
        --left_;
        return tries_left();
    }
    left_ = attempts_;
    return done();
}

} // namespace mtkey::testbed
