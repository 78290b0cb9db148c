// SPDX-License-Identifier: Apache-2.0
#include "uicc/pin.hpp"

#include "uicc/status.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace mtkey::uicc {
namespace {
constexpr std::uint8_t kVerify = 0x20;
constexpr std::size_t kPinField = 8;
constexpr std::size_t kShortestPin = 4;
constexpr std::uint8_t kUnused = 0xFF;

bool tells_attempts(std::uint16_t sw) {
    return (sw & 0xFFF0) == 0x63C0;
}

CommandApdu verify_command(std::uint8_t reference) {
    CommandApdu command;
    command.ins = kVerify;
    command.p2 = reference;
    return command;
}

/// Attempts left, 0 when the card does not say. PinBlocked.
Result<unsigned> query_after_refusal(CardChannel& card, std::uint8_t reference) {
    const auto state = query_pin(card, reference);
    if (state && state->kind == PinState::Kind::Wanted) {
        return state->attempts_left;
    }
    if (!state && state.error().code == Errc::PinBlocked) {
        return std::unexpected(state.error());
    }
    return 0;
}
} // namespace

Result<PinState> query_pin(CardChannel& card, std::uint8_t reference) {
    const auto response = MTKEY_TRY(card.transmit(verify_command(reference)));
    if (response.ok() || response.sw == sw::kPinDisabled) {
        return PinState{PinState::Kind::Satisfied, 0};
    }
    if (response.sw == sw::kBlocked || response.sw == 0x63C0) {
        return fail(Errc::PinBlocked, "no attempt left", response.sw);
    }
    if (tells_attempts(response.sw)) {
        return PinState{PinState::Kind::Wanted, response.sw & 0x0FU};
    }
    if (response.sw == sw::kReferenceNotFound) {
        return PinState{PinState::Kind::Unknown, 0};
    }
    return fail(Errc::PinFloor, "the card does not tell how many attempts are left", response.sw);
}

Result<SecretBytes> pin_field(const SecretBytes& pin) {
    const auto digits = pin.reveal();
    const auto is_digit = [](std::uint8_t c) { return c >= '0' && c <= '9'; };
    if (digits.size() < kShortestPin || digits.size() > kPinField ||
        !std::ranges::all_of(digits, is_digit)) {
        return fail(Errc::InvalidArgument, "a PIN has 4 to 8 digits; nothing was sent to the card");
    }
    SecretBytes out(kPinField);
    const auto field = out.reveal_writable();
    std::ranges::fill(field, kUnused);
    std::ranges::copy(digits, field.begin());
    return out;
}

Result<void> verify_pin(CardChannel& card, std::uint8_t reference, const SecretBytes& pin) {
    auto command = verify_command(reference);
    command.data = MTKEY_TRY(pin_field(pin));
    const auto response = MTKEY_TRY(card.transmit(command));
    if (response.ok() || response.sw == sw::kPinDisabled) {
        return {};
    }
    if (response.sw == sw::kBlocked || response.sw == 0x63C0) {
        return fail(Errc::PinBlocked, "that was the last attempt", response.sw);
    }
    if (tells_attempts(response.sw)) {
        return fail(Errc::PinIncorrect, std::to_string(response.sw & 0x0F) + " attempts left",
                    response.sw & 0x0F);
    }
    // 63 00, 98 04 and whatever else: it has been shown and was not taken. What it has cost, only
    // the counter knows.
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "VERIFY answered %04X", response.sw);
    const auto state = MTKEY_TRY(query_after_refusal(card, reference));
    return fail(Errc::PinIncorrect, text.data(), state);
}

Result<SecretBytes> pin_to_show(unsigned attempts_left, unsigned floor,
                                const std::function<std::optional<SecretBytes>()>& ask,
                                const std::function<void(unsigned)>& counted) {
    const auto left = std::to_string(attempts_left) + " attempts left";
    if (attempts_left < floor) {
        return fail(Errc::PinFloor, left, attempts_left);
    }
    if (counted) {
        counted(attempts_left);
    }
    auto pin = ask ? ask() : std::nullopt;
    if (!pin) {
        return fail(Errc::PinRequired, left, attempts_left);
    }
    return *std::move(pin);
}

Result<std::optional<unsigned>> satisfy_pin(CardChannel& card, std::uint8_t reference,
                                            unsigned floor,
                                            const std::function<std::optional<SecretBytes>()>& ask,
                                            const std::function<void(unsigned)>& counted) {
    const auto state = MTKEY_TRY(query_pin(card, reference));
    if (state.kind != PinState::Kind::Wanted) {
        return std::nullopt;
    }
    const auto pin = MTKEY_TRY(pin_to_show(state.attempts_left, floor, ask, counted));
    MTKEY_CHECK(verify_pin(card, reference, pin));
    return state.attempts_left;
}

} // namespace mtkey::uicc
