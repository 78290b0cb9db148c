// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "uicc/call_thread.hpp"
#include "uicc/card_channel.hpp"
#include "uicc/pcsc_context.hpp"
#include "uicc/transmit.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

// PC/SC: cards. For worker threads: calls here may take seconds. None takes longer than its limit:
// a call that pcscd or a reader does not return from is left behind with its thread and the card.
namespace mtkey::uicc {

enum class Sharing : std::uint8_t { Exclusive, Shared };
enum class Disposition : std::uint8_t { Leave, Reset, Unpower };

struct ConnectOptions {
    Sharing sharing = Sharing::Exclusive;
    /// Reset: any local process could use a card on which our PIN is still verified.
    Disposition on_leaving = Disposition::Reset;
    /// How long to try again while another program holds the reader.
    std::chrono::milliseconds patience{0};
    /// For each call of PC/SC, and for a command with all that it takes (GET RESPONSE, a card that
    /// says that it is busy): a card may be slow without end and break no rule.
    std::chrono::milliseconds call_limit{10'000};
    std::chrono::milliseconds command_limit{15'000};
    /// Ends every wait soon, with Cancelled; the card is of no use then.
    std::stop_token stop;
};

class ScardConnection; // the handle; pcsc_card.cpp

/// Exclusive use of the card from begin() to the end of this object; the only thing that can
/// transmit to it. Borrows the ScardCard's connection: ends before it.
class Transaction final : public CardChannel {
public:
    Transaction(Transaction&& other) noexcept
        : connection_(std::exchange(other.connection_, nullptr)),
          card_was_reset_(other.card_was_reset_) {}
    Transaction& operator=(Transaction&&) = delete;
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction() override;

    /// `detail` is the SCARD code. After NoCard this object only gives errors, and so it does after
    /// CardFailed with SCARD_E_TIMEOUT (a limit of ConnectOptions).
    [[nodiscard]] Result<ResponseApdu> transmit(const CommandApdu& command) override;
    /// One command octet for octet, without what transmit() makes of it: for those who test cards
    /// and readers. Ends with this object.
    [[nodiscard]] RawCard& raw() const;
    /// Somebody had reset the card before begin(): selection and PIN are gone.
    [[nodiscard]] bool card_was_reset() const { return card_was_reset_; }

private:
    friend class ScardCard;
    Transaction(ScardConnection& connection, bool card_was_reset)
        : connection_(&connection), card_was_reset_(card_was_reset) {}
    ScardConnection* connection_;
    bool card_was_reset_;
};

/// Owns one connection to a card; leaves it as its disposition says. Must end before its context.
/// One whose card was removed is of no use any more and must be dropped: pcscd counts it as a user
/// of the reader still.
class ScardCard {
public:
    explicit ScardCard(std::unique_ptr<ScardConnection> connection);
    ScardCard(ScardCard&&) noexcept;
    ScardCard& operator=(ScardCard&&) = delete;
    ScardCard(const ScardCard&) = delete;
    ScardCard& operator=(const ScardCard&) = delete;
    ~ScardCard();

    /// Waits while another program is in a transaction (shared cards only; ReaderBusy at the
    /// limit). A card that was reset or is mute is reconnected first.
    [[nodiscard]] Result<Transaction> begin();
    /// After a reset, or for a card that went mute: keep power, else reset, else cold reset, else
    /// the last Error.
    [[nodiscard]] Result<void> reconnect();

    [[nodiscard]] const std::string& reader() const;
    [[nodiscard]] Protocol protocol() const;
    /// Command APDUs sent since connect(), GET RESPONSE included.
    [[nodiscard]] unsigned apdu_count() const;
    void set_disposition(Disposition on_leaving);
    /// An end for all that is done from now on, beside the limits of each call; nothing = none.
    void set_deadline(std::optional<std::chrono::steady_clock::time_point> end);

private:
    std::unique_ptr<ScardConnection> connection_;
};

/// Errors: NoReader, NoCard, ReaderBusy (context names the reader), CardFailed (mute),
/// NotAuthorized (polkit), TimedOut (held by another program's transaction, or pcscd hangs),
/// Cancelled.
[[nodiscard]] Result<ScardCard> connect(const ScardContext& context, const std::string& reader,
                                        const ConnectOptions& options = {});

/// Context and card of one worker. Not assignable: the old context would go before its card.
struct CardSession {
    ScardContext context;
    ScardCard card;
};

/// connect() with a context of its own, all within one limit. TimedOut after it: a card that it
/// gets too late is left as it was. With two threads stuck (stuck_threads()) nothing is tried any
/// more (Internal): end the process and start anew.
[[nodiscard]] Result<CardSession> connect_within(std::chrono::milliseconds limit,
                                                 const std::string& reader,
                                                 const ConnectOptions& options = {});

} // namespace mtkey::uicc
