// SPDX-License-Identifier: Apache-2.0
#include "uicc/pcsc_connection.hpp"

#include <condition_variable>
#include <mutex>
#include <type_traits>

namespace mtkey::uicc {
namespace {
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
constexpr milliseconds kBusyRetry{100};
constexpr unsigned kMostStuck = 2;

static_assert(!std::is_move_assignable_v<CardSession>);

/// What a call on the thread brings back; it ends there when nobody waits any more.
struct Opening {
    std::optional<Result<ScardContext>> context;
    LONG code = SCARD_S_SUCCESS;
    std::shared_ptr<ScardHandle> handle;
    DWORD protocol = 0;
};

milliseconds left_until(Clock::time_point end) {
    return std::max(std::chrono::ceil<milliseconds>(end - Clock::now()), milliseconds(0));
}

Error given_up(CallThread::End how, const std::string& reader) {
    return Error{how == CallThread::End::Stopped ? Errc::Cancelled : Errc::TimedOut, 0, reader};
}

/// False when it is time to stop.
bool pause(const std::stop_token& stop) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any never;
    never.wait_for(lock, stop, kBusyRetry, [] { return false; });
    return !stop.stop_requested();
}

Result<ScardCard> connect_on(std::unique_ptr<CallThread> thread, const ScardContext& context,
                             const std::string& reader, const ConnectOptions& options,
                             Clock::time_point end) {
    const auto patient_until = std::min(Clock::now() + options.patience, end);
    while (true) {
        const auto opening = std::make_shared<Opening>();
        opening->context = context.clone();
        const auto connect_now = [opening, reader, mode = to_share_mode(options.sharing)] {
            SCARDHANDLE handle = 0;
            auto& in = **opening->context;
            opening->code = SCardConnect(in.handle(), reader.c_str(), mode, kScardProtocols,
                                         &handle, &opening->protocol);
            if (opening->code == SCARD_S_SUCCESS) {
                opening->handle = std::make_shared<ScardHandle>(in.clone(), handle);
            }
        };
        if (const auto how = thread->run(connect_now, left_until(end), options.stop);
            how != CallThread::End::Done) {
            return std::unexpected(given_up(how, reader));
        }
        if (opening->handle) {
            return ScardCard(std::make_unique<ScardConnection>(
                std::move(thread), std::move(opening->handle), opening->protocol, reader, options));
        }
        auto error = pcsc_error(opening->code, reader);
        if (error.code != Errc::ReaderBusy || Clock::now() + kBusyRetry > patient_until) {
            return std::unexpected(std::move(error));
        }
        if (!pause(options.stop)) {
            return fail(Errc::Cancelled, reader);
        }
    }
}
} // namespace

Result<ScardCard> connect(const ScardContext& context, const std::string& reader,
                          const ConnectOptions& options) {
    return connect_on(MTKEY_TRY(CallThread::start()), context, reader, options,
                      Clock::now() + options.patience + options.call_limit);
}

Result<CardSession> connect_within(milliseconds limit, const std::string& reader,
                                   const ConnectOptions& options) {
    if (stuck_threads() >= kMostStuck) {
        return fail(Errc::Internal,
                    "pcscd holds " + std::to_string(stuck_threads()) + " threads; restart");
    }
    const auto end = Clock::now() + limit;
    auto thread = MTKEY_TRY(CallThread::start());
    const auto opening = std::make_shared<Opening>();
    if (const auto how = thread->run([opening] { opening->context = ScardContext::establish(); },
                                     limit, options.stop);
        how != CallThread::End::Done) {
        return std::unexpected(given_up(how, reader));
    }
    auto context = MTKEY_TRY(*std::move(opening->context));
    auto card = MTKEY_TRY(connect_on(std::move(thread), context, reader, options, end));
    return CardSession{std::move(context), std::move(card)};
}

} // namespace mtkey::uicc
