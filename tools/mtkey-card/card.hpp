// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "uicc/card_channel.hpp"
#include "uicc/pcsc_context.hpp"
#include "uicc/transmit.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mtkey::tools {

/// Where the card is.
struct CardPlace {
    std::string reader = "*"; ///< shell pattern; the first reader with a card in it
    std::string iccid;        ///< of the wanted card; empty = any
    std::string modem;        ///< tty; empty = PC/SC
    std::string at = "any";   ///< any, csim, session
    unsigned baud = 115200;
    std::chrono::milliseconds limit{10'000}; ///< for one command
};

/// Sees every command as it goes to the reader or modem, and what came back.
using Observer = std::function<void(ByteView command, const Result<SecretBytes>& answer,
                                    std::chrono::nanoseconds round_trip)>;

/// A card that is ours for now, in a reader or behind a modem. Owns connection and transaction.
class Card {
public:
    virtual ~Card() = default;

    /// Octets as reader or modem want them. Ends with reset() and leave().
    [[nodiscard]] virtual uicc::RawCard& raw() = 0;
    [[nodiscard]] virtual uicc::Protocol protocol() const = 0;
    /// Leaves the card, reset or without power, and takes it again. NotSupportedByCard: modems.
    enum class Power : std::uint8_t { Warm, Cold };
    [[nodiscard]] virtual Result<void> reset(Power power) = 0;
    /// Gives the card up until the next reset().
    virtual void leave() = 0;

    [[nodiscard]] const std::string& place() const { return place_; } ///< reader or tty
    [[nodiscard]] virtual std::string access() const = 0;             ///< "PC/SC, T=0"
    [[nodiscard]] const Bytes& atr() const { return atr_; }           ///< empty: modems tell none
    [[nodiscard]] virtual bool is_modem() const = 0;
    /// Tries to get at the card beside ourselves, in every way that must not work; what was seen.
    /// CardFailed: it worked. Takes the card anew.
    [[nodiscard]] virtual Result<std::string> check_exclusion() = 0;

    void observe(Observer observer) { observers_.push_back(std::move(observer)); }
    /// With 61xx, 6Cxx and the forms of T=0 below it.
    [[nodiscard]] uicc::CardChannel& channel();

protected:
    Result<SecretBytes> observed(uicc::RawCard& card, ByteView command);
    std::string place_;
    Bytes atr_;

private:
    std::vector<Observer> observers_;
    std::unique_ptr<uicc::CardChannel> channel_;
};

/// Errors: NoReader and NoCard (the context lists what is there), ReaderBusy, TimedOut, and those
/// of uicc::connect and uicc::AtChannel::open.
[[nodiscard]] Result<std::unique_ptr<Card>> open_card(const CardPlace& place);
/// All readers and what pcscd says of them.
[[nodiscard]] Result<std::vector<uicc::ReaderState>> list_reader_states();

} // namespace mtkey::tools
