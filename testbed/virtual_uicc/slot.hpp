// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "testbed/virtual_uicc/card.hpp"
#include "testbed/virtual_uicc/fault.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace mtkey::testbed {

/// Where a card comes from: card.toml (or the defaults) and the subscribers' keys.
struct CardSource {
    std::string card;        ///< may be empty
    std::string subscribers; ///< may be empty when the card has its [key]
    std::string imsi;        ///< which subscriber; empty = the card's, or the first
};

/// What comes out of the slot for one command.
struct SlotAnswer {
    std::optional<SecretBytes> octets; ///< nothing: the card is mute until power-up, or out
    std::chrono::milliseconds delay{0};
};

/// A card in its slot, or an empty one: owns the card, what shall go wrong with it, its file of
/// memory and the count of its commands. Knows no reader and no clock: delays are the caller's.
class Slot {
public:
    explicit Slot(CardSource source) : source_(std::move(source)) {}

    /// Puts a card in. Empty `card`: the same one again, which remembers what a card remembers; the
    /// first time the one of the source. Else another one, made from that profile.
    Result<void> insert(const std::string& card = {});
    void remove() { in_ = false; }
    /// One more, whose `at` counts from the next command.
    void plan(Fault fault);
    void forget_faults() { faults_.clear(); }
    [[nodiscard]] bool has_card() const { return in_ && card_; }
    /// The card, whether in or out. Null before the first insert. Borrowed.
    [[nodiscard]] Card* card() { return card_ ? &*card_ : nullptr; }

    /// Power off and on, or a warm reset.
    void power_up();
    SlotAnswer transmit(ByteView command);

    [[nodiscard]] std::uint64_t power_ups() const { return power_ups_; }
    [[nodiscard]] std::uint64_t commands() const { return commands_; }
    [[nodiscard]] std::uint64_t commands_since_power_up() const { return since_power_up_; }

private:
    Result<void> load(const std::string& card);
    [[nodiscard]] const Fault* due() const;
    SlotAnswer with_fault(const Fault& fault, ByteView command);
    void save();

    CardSource source_;
    std::optional<Card> card_;
    std::vector<Fault> faults_;
    std::string state_;
    CardMemory saved_;
    bool in_ = false;
    bool mute_ = false;
    std::optional<Fault::Kind> endless_;
    std::uint64_t commands_ = 0; ///< since the start, or since another profile was put in
    std::uint64_t since_power_up_ = 0;
    std::uint64_t power_ups_ = 0;
};

} // namespace mtkey::testbed
