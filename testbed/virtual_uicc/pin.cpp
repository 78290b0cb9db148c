// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/pin.hpp"

#include <algorithm>

namespace mtkey::testbed {
namespace {
constexpr std::uint8_t kReference = 0x01;
} // namespace

Pin::Pin(const std::optional<SecretBytes>& digits) : enabled_(digits.has_value()) {
    if (digits) {
        const auto field = padded_.reveal_writable();
        std::ranges::fill(field, std::uint8_t{0xFF});
        std::ranges::copy(digits->reveal().first(std::min(digits->size(), kField)), field.begin());
    }
}

Answer Pin::tries_left() const {
    return refuse(static_cast<std::uint16_t>(sw::kTriesLeft | attempts_));
}

/// VERIFY PIN (TS 102 221 clause 11.1.9); without data it asks for the counter and changes nothing.
Answer Pin::verify(const uicc::CommandApdu& command) {
    if (command.p1 != 0x00) {
        return refuse(sw::kWrongParameters);
    }
    if (command.p2 != kReference) {
        return refuse(sw::kReferenceNotFound);
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
    if (attempts_ == 0) {
        return refuse(sw::kPinBlocked);
    }
    verified_ = equal_constant_time(command.data.reveal(), padded_.reveal());
    if (!verified_) {
        --attempts_;
        return tries_left();
    }
    attempts_ = kAttempts;
    return done();
}

} // namespace mtkey::testbed
