// SPDX-License-Identifier: Apache-2.0
#include "uicc/pcsc.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <winscard.h>

namespace mtkey::uicc {
namespace {
constexpr DWORD kProtocols = SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1;
constexpr std::chrono::milliseconds kBusyRetry{100};
constexpr unsigned kMostStuck = 2;

DWORD to_share_mode(Sharing sharing) {
    return sharing == Sharing::Exclusive ? SCARD_SHARE_EXCLUSIVE : SCARD_SHARE_SHARED;
}

DWORD to_code(Disposition disposition) {
    switch (disposition) {
    case Disposition::Leave:
        return SCARD_LEAVE_CARD;
    case Disposition::Unpower:
        return SCARD_UNPOWER_CARD;
    case Disposition::Reset:
        break;
    }
    return SCARD_RESET_CARD;
}
} // namespace

/// Owns one SCARDHANDLE.
class ScardConnection final : public RawCard {
public:
    ScardConnection(SCARDHANDLE handle, DWORD protocol, std::string reader,
                    const ConnectOptions& options)
        : handle_(handle), protocol_(protocol), reader_(std::move(reader)), options_(options) {}
    ScardConnection(const ScardConnection&) = delete;
    ScardConnection& operator=(const ScardConnection&) = delete;
    ~ScardConnection() override { SCardDisconnect(handle_, to_code(options_.on_leaving)); }

    Result<SecretBytes> exchange(ByteView command) override {
        SCARD_IO_REQUEST request{protocol_, sizeof(SCARD_IO_REQUEST)};
        SecretBytes buffer(MAX_BUFFER_SIZE);
        auto length = static_cast<DWORD>(buffer.size());
        ++apdu_count_;
        const auto code =
            SCardTransmit(handle_, &request, command.data(), static_cast<DWORD>(command.size()),
                          nullptr, buffer.reveal_writable().data(), &length);
        if (code != SCARD_S_SUCCESS) {
            return std::unexpected(pcsc_error(code, reader_));
        }
        return SecretBytes(buffer.reveal().first(std::min<std::size_t>(length, buffer.size())));
    }

    Result<void> begin() const {
        const auto code = SCardBeginTransaction(handle_);
        if (code != SCARD_S_SUCCESS) {
            return std::unexpected(pcsc_error(code, reader_));
        }
        return {};
    }

    /// Nobody else can use an exclusive card before we leave it; a shared one is left at the end of
    /// each transaction.
    void end() const {
        SCardEndTransaction(handle_, options_.sharing == Sharing::Shared
                                         ? to_code(options_.on_leaving)
                                         : DWORD{SCARD_LEAVE_CARD});
    }

    Result<void> reconnect(DWORD initialisation) {
        DWORD protocol = 0;
        const auto code = SCardReconnect(handle_, to_share_mode(options_.sharing), kProtocols,
                                         initialisation, &protocol);
        if (code != SCARD_S_SUCCESS) {
            return std::unexpected(pcsc_error(code, reader_));
        }
        protocol_ = protocol;
        return {};
    }

    [[nodiscard]] const std::string& reader() const { return reader_; }
    [[nodiscard]] Protocol protocol() const {
        return protocol_ == SCARD_PROTOCOL_T0 ? Protocol::T0 : Protocol::T1;
    }
    [[nodiscard]] unsigned apdu_count() const { return apdu_count_; }
    void set_disposition(Disposition on_leaving) { options_.on_leaving = on_leaving; }

private:
    SCARDHANDLE handle_;
    DWORD protocol_;
    std::string reader_;
    ConnectOptions options_;
    unsigned apdu_count_ = 0;
};

Transaction::~Transaction() {
    if (connection_ != nullptr) {
        connection_->end();
    }
}

Result<ResponseApdu> Transaction::transmit(const CommandApdu& command) {
    if (connection_ == nullptr) {
        return fail(Errc::Internal, "transaction that was moved away");
    }
    return uicc::transmit(*connection_, connection_->protocol(), command, sleep_for_real);
}

RawCard& Transaction::raw() const {
    assert(connection_ != nullptr);
    return *connection_;
}

ScardCard::ScardCard(std::unique_ptr<ScardConnection> connection)
    : connection_(std::move(connection)) {}
ScardCard::ScardCard(ScardCard&&) noexcept = default;
ScardCard& ScardCard::operator=(ScardCard&&) noexcept = default;
ScardCard::~ScardCard() = default;

Result<Transaction> ScardCard::begin() {
    auto begun = connection_->begin();
    if (begun) {
        return Transaction(*connection_, false);
    }
    if (!is_card_reset(begun.error())) {
        return std::unexpected(std::move(begun).error());
    }
    MTKEY_CHECK(connection_->reconnect(SCARD_LEAVE_CARD));
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

Result<ScardCard> connect(const ScardContext& context, const std::string& reader,
                          const ConnectOptions& options) {
    const auto end = std::chrono::steady_clock::now() + options.patience;
    while (true) {
        SCARDHANDLE handle = 0;
        DWORD protocol = 0;
        const auto code =
            SCardConnect(context.handle(), reader.c_str(), to_share_mode(options.sharing),
                         kProtocols, &handle, &protocol);
        if (code == SCARD_S_SUCCESS) {
            return ScardCard(std::make_unique<ScardConnection>(handle, protocol, reader, options));
        }
        auto error = pcsc_error(code, reader);
        if (error.code != Errc::ReaderBusy || std::chrono::steady_clock::now() + kBusyRetry > end) {
            return std::unexpected(std::move(error));
        }
        sleep_for_real(kBusyRetry);
    }
}

namespace {
/// Shared with the thread that connects, which may outlive the call.
struct Attempt {
    std::mutex mutex;
    std::condition_variable done;
    std::optional<Result<CardSession>> result;
    bool abandoned = false;
};

std::mutex stuck_mutex;
unsigned stuck = 0;

Result<CardSession> open_session(const std::string& reader, const ConnectOptions& options) {
    auto context = MTKEY_TRY(ScardContext::establish());
    auto card = MTKEY_TRY(connect(context, reader, options));
    return CardSession{std::move(context), std::move(card)};
}

void run(const std::shared_ptr<Attempt>& attempt, const std::string& reader,
         const ConnectOptions& options) {
    auto result = open_session(reader, options);
    const std::lock_guard lock(attempt->mutex);
    if (attempt->abandoned) {
        const std::lock_guard count_lock(stuck_mutex);
        --stuck;
        return; // `result` leaves the card as the options say
    }
    attempt->result.emplace(std::move(result));
    attempt->done.notify_one();
}
} // namespace

unsigned stuck_connects() {
    const std::lock_guard lock(stuck_mutex);
    return stuck;
}

Result<CardSession> connect_within(std::chrono::milliseconds limit, const std::string& reader,
                                   const ConnectOptions& options) {
    if (stuck_connects() >= kMostStuck) {
        return fail(Errc::Internal,
                    "pcscd holds " + std::to_string(kMostStuck) + " threads; restart");
    }
    const auto attempt = std::make_shared<Attempt>();
    try {
        std::thread(run, attempt, reader, options).detach();
    } catch (const std::system_error& error) {
        return fail(Errc::Internal, "no thread for the card",
                    static_cast<std::uint32_t>(error.code().value()));
    }
    std::unique_lock lock(attempt->mutex);
    if (attempt->done.wait_for(lock, limit, [&] { return attempt->result.has_value(); })) {
        return *std::move(attempt->result);
    }
    attempt->abandoned = true;
    const std::lock_guard count_lock(stuck_mutex);
    ++stuck;
    return fail(Errc::TimedOut, reader);
}

} // namespace mtkey::uicc
