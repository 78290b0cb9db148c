// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/card_ports.hpp"
#include "uicc/reader_monitor.hpp"

#include <mutex>
#include <optional>
#include <string>

namespace mtkey::daemon {

/// What ends the card worker's work from outside, wherever it is: a run that was cancelled, a card
/// that has left. Both hold until the worker has seen to them. For any thread.
class Interruption {
public:
    /// One card: pcscd's counter goes up with each insertion and removal.
    struct Place {
        std::string reader;
        std::uint32_t event = 0;
    };
    /// The worker has to do with this card from now on, or with none.
    void use(std::optional<Place> place);
    /// True when the card in use has left by this report: what is done with it ends at once.
    bool card_left(const uicc::ReaderReport& report);
    [[nodiscard]] bool lost() const;
    /// Lost because pcscd has gone: the card may be where it was.
    [[nodiscard]] bool service_gone() const;

    /// A run is queued: cancel() means it from now on, until disarm().
    void arm();
    /// False when no run is queued or under way.
    bool cancel();
    /// The run is over: what check() says, decided for good.
    Result<void> disarm();
    /// NoCard when the card has left, NoReader when pcscd has, Cancelled when the run was
    /// cancelled.
    [[nodiscard]] Result<void> check() const;

    /// The exchanges that end as well, while this object lives.
    class Watched {
    public:
        Watched(Interruption& owner, BsfLink& bsf) : owner_(owner) { owner_.watch(&bsf); }
        ~Watched() { owner_.watch(nullptr); }
        Watched(const Watched&) = delete;
        Watched& operator=(const Watched&) = delete;

    private:
        Interruption& owner_;
    };

private:
    void watch(BsfLink* bsf);
    [[nodiscard]] Result<void> verdict() const;

    mutable std::mutex mutex_; ///< guards all that follows
    std::optional<Place> in_use_;
    std::optional<uicc::ReaderReport> latest_;
    bool lost_ = false;
    bool service_gone_ = false;
    bool armed_ = false;
    bool cancelled_ = false;
    BsfLink* bsf_ = nullptr;
};

/// A card that gets no further command once `interruption` says so.
class InterruptibleCard final : public uicc::CardChannel {
public:
    InterruptibleCard(uicc::CardChannel& card, const Interruption& interruption)
        : card_(card), interruption_(interruption) {}
    [[nodiscard]] Result<uicc::ResponseApdu> transmit(const uicc::CommandApdu& command) override {
        MTKEY_CHECK(interruption_.check());
        return card_.transmit(command);
    }

private:
    uicc::CardChannel& card_;
    const Interruption& interruption_;
};

} // namespace mtkey::daemon
