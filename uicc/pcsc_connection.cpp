// SPDX-License-Identifier: Apache-2.0
#include "uicc/pcsc_connection.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace mtkey::uicc {
namespace {
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
// To leave the card in order, whatever limits there were before.
constexpr milliseconds kLeaveLimit{3000};

/// What a transmission needs, kept for a call that may return after we have gone.
struct Exchange {
    SecretBytes command;
    SecretBytes answer{MAX_BUFFER_SIZE};
    DWORD length = MAX_BUFFER_SIZE;
    SCARD_IO_REQUEST request{};
};
} // namespace

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

ScardConnection::ScardConnection(std::unique_ptr<CallThread> thread,
                                 std::shared_ptr<ScardHandle> handle, DWORD protocol,
                                 std::string reader, const ConnectOptions& options)
    : thread_(std::move(thread)),
      handle_(std::move(handle)),
      protocol_(protocol),
      reader_(std::move(reader)),
      options_(options) {
    handle_->disposition = to_code(options.on_leaving);
}

ScardConnection::~ScardConnection() {
    if (thread_->left_behind()) {
        // Its call still holds the card, or has just returned: not for us to wait.
        if (auto other = CallThread::start()) {
            thread_ = *std::move(other);
        }
    }
    (void)thread_->run([handle = std::move(handle_)]() mutable { handle.reset(); }, kLeaveLimit);
}

milliseconds ScardConnection::time_left() const {
    const auto now = Clock::now();
    auto left = options_.call_limit;
    for (const auto& end : {command_end_, deadline_}) {
        if (end) {
            left = std::min(left, std::chrono::ceil<milliseconds>(*end - now));
        }
    }
    return left;
}

Result<void> ScardConnection::call(Call what, milliseconds limit) {
    const auto stopped = [this] { return fail(Errc::Cancelled, reader_); };
    const auto too_late = [this] {
        return fail(Errc::CardFailed, reader_ + ": no answer in time",
                    static_cast<std::uint32_t>(SCARD_E_TIMEOUT));
    };
    if (options_.stop.stop_requested()) {
        return stopped();
    }
    if (limit <= milliseconds(0)) {
        return too_late();
    }
    const auto code = std::make_shared<LONG>(SCARD_S_SUCCESS);
    switch (thread_->run(
        [handle = handle_, what = std::move(what), code] { *code = what(handle->card); }, limit,
        options_.stop)) {
    case CallThread::End::TooLate:
        return too_late();
    case CallThread::End::Stopped:
        return stopped();
    case CallThread::End::Done:
        break;
    }
    if (*code != SCARD_S_SUCCESS) {
        return std::unexpected(pcsc_error(*code, reader_));
    }
    return {};
}

Result<SecretBytes> ScardConnection::exchange(ByteView command) {
    const auto io = std::make_shared<Exchange>();
    io->command = SecretBytes(command);
    io->request = {protocol_, sizeof(SCARD_IO_REQUEST)};
    ++apdu_count_;
    MTKEY_CHECK(call(
        [io](SCARDHANDLE card) {
            const auto octets = io->command.reveal();
            return SCardTransmit(card, &io->request, octets.data(),
                                 static_cast<DWORD>(octets.size()), nullptr,
                                 io->answer.reveal_writable().data(), &io->length);
        },
        time_left()));
    return SecretBytes(
        io->answer.reveal().first(std::min<std::size_t>(io->length, io->answer.size())));
}

void ScardConnection::begin_command() {
    command_end_ = Clock::now() + options_.command_limit;
}

void ScardConnection::sleep(milliseconds time) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any never;
    never.wait_for(lock, options_.stop, std::clamp(time_left(), milliseconds(0), time),
                   [] { return false; });
}

Result<void> ScardConnection::begin() {
    command_end_.reset();
    auto begun = call(SCardBeginTransaction, time_left());
    if (!begun && options_.sharing == Sharing::Shared && thread_->left_behind() &&
        begun.error().code == Errc::CardFailed) {
        begun.error().code = Errc::ReaderBusy; // in another program's transaction
    }
    return begun;
}

void ScardConnection::end() {
    const auto disposition =
        options_.sharing == Sharing::Shared ? to_code(options_.on_leaving) : SCARD_LEAVE_CARD;
    (void)thread_->run(
        [handle = handle_, disposition] { SCardEndTransaction(handle->card, disposition); },
        kLeaveLimit);
}

Result<void> ScardConnection::reconnect(DWORD initialisation) {
    const auto protocol = std::make_shared<DWORD>(0);
    command_end_.reset();
    MTKEY_CHECK(call(
        [protocol, initialisation, mode = to_share_mode(options_.sharing)](SCARDHANDLE card) {
            return SCardReconnect(card, mode, kScardProtocols, initialisation, protocol.get());
        },
        time_left()));
    protocol_ = *protocol;
    return {};
}

void ScardConnection::set_disposition(Disposition on_leaving) {
    options_.on_leaving = on_leaving;
    handle_->disposition = to_code(on_leaving);
}

} // namespace mtkey::uicc
