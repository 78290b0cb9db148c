// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/slot.hpp"

#include "aka/subscriber_file.hpp"
#include "base/log.hpp"
#include "testbed/virtual_uicc/card_file.hpp"
#include "testbed/virtual_uicc/card_memory.hpp"

#include <algorithm>

namespace mtkey::testbed {
namespace {

constexpr std::size_t kEndlessPart = 0x10;
constexpr std::size_t kTooMuch = 300;
constexpr std::uint8_t kGetResponse = 0xC0;

SlotAnswer of(Bytes octets) {
    return {SecretBytes(octets), {}};
}

SlotAnswer endless(Fault::Kind kind, ByteView command) {
    Bytes out;
    if (kind == Fault::Kind::Endless61 && command.size() > 1 && command[1] == kGetResponse) {
        out.resize(kEndlessPart, 0xA5);
    }
    out.push_back(kind == Fault::Kind::Endless61 ? 0x61 : 0x6C);
    out.push_back(kEndlessPart);
    return of(out);
}

/// The subscriber's key and what else the card file leaves to it.
Result<void> complete(CardFile& file, const CardSource& source) {
    const std::string wanted = !source.imsi.empty() ? source.imsi : file.profile.imsi;
    auto subscribers = MTKEY_TRY(aka::read_subscribers(source.subscribers));
    const auto found = wanted.empty()
                           ? subscribers.begin()
                           : std::ranges::find(subscribers, wanted, &aka::Subscriber::imsi);
    if (found == subscribers.end()) {
        return fail(Errc::NotFound,
                    "IMSI " + masked_identity(wanted) + " in " + source.subscribers);
    }
    file.profile.imsi = found->imsi;
    if (!file.has_mnc_length) {
        file.profile.mnc_length = found->mnc_length;
    }
    file.algorithm = std::move(found->algorithm);
    return {};
}

} // namespace

Result<void> Slot::insert(const std::string& card) {
    if (!card_ || !card.empty()) {
        MTKEY_CHECK(load(card.empty() ? source_.card : card));
        commands_ = 0;
    }
    if (!card.empty()) {
        source_.card = card;
    }
    in_ = true;
    power_up();
    return {};
}

Result<void> Slot::load(const std::string& path) {
    CardFile file;
    if (path.empty()) {
        file = MTKEY_TRY(parse_card_file("", "card"));
    } else {
        file = MTKEY_TRY(read_card_file(path));
    }
    if (!file.algorithm) {
        MTKEY_CHECK(complete(file, source_));
    }
    log(LogLevel::Info, "card",
        {{"imsi", masked_identity(file.profile.imsi)}, {"gba", file.profile.gba ? "yes" : "no"}});
    Card card = MTKEY_TRY(
        Card::create(file.profile, std::move(file.algorithm), file.sqn.value_or(aka::Sqn{})));
    if (!file.state.empty()) {
        if (const auto memory = MTKEY_TRY(read_card_memory(file.state))) {
            MTKEY_CHECK(card.restore(*memory));
        }
    }
    saved_ = card.memory();
    card_.emplace(std::move(card));
    faults_ = std::move(file.faults);
    state_ = std::move(file.state);
    return {};
}

void Slot::power_up() {
    ++power_ups_;
    since_power_up_ = 0;
    mute_ = false;
    endless_.reset();
    if (card_) {
        card_->reset();
    }
}

void Slot::plan(Fault fault) {
    fault.at += fault.since_power_up ? since_power_up_ : commands_;
    faults_.push_back(fault);
}

/// The first one of the script that counts this command.
const Fault* Slot::due() const {
    const auto found = std::ranges::find_if(faults_, [&](const Fault& fault) {
        const std::uint64_t number = fault.since_power_up ? since_power_up_ : commands_;
        return number >= fault.at && number - fault.at < fault.times;
    });
    return found == faults_.end() ? nullptr : &*found;
}

SlotAnswer Slot::transmit(ByteView command) {
    if (!has_card() || mute_) {
        return {};
    }
    ++commands_;
    ++since_power_up_;
    if (endless_) {
        return endless(*endless_, command);
    }
    SlotAnswer answer;
    if (const auto* fault = due()) {
        answer = with_fault(*fault, command);
    } else {
        answer = {card_->transmit(command), {}};
    }
    save();
    return answer;
}

SlotAnswer Slot::with_fault(const Fault& fault, ByteView command) {
    using Kind = Fault::Kind;
    switch (fault.kind) {
    case Kind::Remove:
        in_ = false;
        return {};
    case Kind::Reset:
        card_->reset();
        break;
    case Kind::Mute:
        mute_ = true;
        return fault.duration.count() == 0 ? SlotAnswer{}
                                           : SlotAnswer{SecretBytes(), fault.duration};
    case Kind::Status:
        return of(
            {static_cast<std::uint8_t>(fault.sw >> 8), static_cast<std::uint8_t>(fault.sw & 0xFF)});
    case Kind::Endless61:
    case Kind::Endless6c:
        endless_ = fault.kind;
        return endless(fault.kind, command);
    case Kind::Short:
    case Kind::Long:
    case Kind::Empty:
    case Kind::Delay:
        break;
    }
    SecretBytes answer = card_->transmit(command);
    const ByteView octets = answer.reveal();
    if (fault.kind == Kind::Short) {
        return {SecretBytes(octets.first(1)), {}};
    }
    if (fault.kind == Kind::Empty) {
        return {SecretBytes(octets.last(2)), {}};
    }
    if (fault.kind == Kind::Long) {
        SecretBytes out(kTooMuch + 2);
        std::ranges::copy(octets.last(2), out.reveal_writable().last(2).begin());
        return {std::move(out), {}};
    }
    return {std::move(answer), fault.duration};
}

/// A card that cannot keep its SQN must not go on as if it had.
void Slot::save() {
    if (state_.empty()) {
        return;
    }
    auto memory = card_->memory();
    if (memory == saved_) {
        return;
    }
    if (const auto done = write_card_memory(state_, memory); !done) {
        log(LogLevel::Error, "card memory not written", {{"why", describe(done.error())}});
        in_ = false;
        return;
    }
    saved_ = std::move(memory);
}

} // namespace mtkey::testbed
