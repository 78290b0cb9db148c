// SPDX-License-Identifier: Apache-2.0
#include "uicc/pcsc_connection.hpp"

#include <array>
#include <cassert>

namespace mtkey::uicc {

Transaction::~Transaction() {
    if (connection_ != nullptr) {
        connection_->end();
    }
}

Result<ResponseApdu> Transaction::transmit(const CommandApdu& command) {
    if (connection_ == nullptr) {
        return fail(Errc::Internal, "transaction that was moved away");
    }
    connection_->begin_command();
    return uicc::transmit(*connection_, connection_->protocol(), command,
                          [this](std::chrono::milliseconds time) { connection_->sleep(time); });
}

RawCard& Transaction::raw() const {
    assert(connection_ != nullptr);
    return *connection_;
}

ScardCard::ScardCard(std::unique_ptr<ScardConnection> connection)
    : connection_(std::move(connection)) {}
ScardCard::ScardCard(ScardCard&&) noexcept = default;
ScardCard::~ScardCard() = default;

Result<Transaction> ScardCard::begin() {
    auto begun = connection_->begin();
    if (begun) {
        return Transaction(*connection_, false);
    }
    // The whole ladder: a card that did not stand one warm reset may stand the next.
    if (!is_card_reset(begun.error()) && begun.error().code != Errc::CardFailed) {
        return std::unexpected(std::move(begun).error());
    }
    MTKEY_CHECK(reconnect());
    MTKEY_CHECK(connection_->begin());
    return Transaction(*connection_, true);
}

Result<void> ScardCard::reconnect() {
    constexpr std::array<DWORD, 3> kLadder{SCARD_LEAVE_CARD, SCARD_RESET_CARD, SCARD_UNPOWER_CARD};
    Result<void> result;
    for (const auto initialisation : kLadder) {
        result = connection_->reconnect(initialisation);
        // Power helps against a mute card only.
        if (result || result.error().code != Errc::CardFailed) {
            break;
        }
    }
    return result;
}

const std::string& ScardCard::reader() const {
    return connection_->reader();
}
Protocol ScardCard::protocol() const {
    return connection_->protocol();
}
unsigned ScardCard::apdu_count() const {
    return connection_->apdu_count();
}
void ScardCard::set_disposition(Disposition on_leaving) {
    connection_->set_disposition(on_leaving);
}
void ScardCard::set_deadline(std::optional<std::chrono::steady_clock::time_point> end) {
    connection_->set_deadline(end);
}

} // namespace mtkey::uicc
