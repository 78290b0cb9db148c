// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "uicc/pcsc.hpp"

#include <atomic>
#include <functional>
#include <winscard.h>

// Inside of uicc/pcsc.hpp.
namespace mtkey::uicc {

/// Owns one SCARDHANDLE. It lives where the thread of the calls can keep it when everybody else has
/// gone.
struct ScardHandle {
    ScardHandle(ScardContext in, SCARDHANDLE card_handle)
        : context(std::move(in)), card(card_handle) {}
    ScardHandle(const ScardHandle&) = delete;
    ScardHandle& operator=(const ScardHandle&) = delete;
    ~ScardHandle() { SCardDisconnect(card, disposition); }

    ScardContext context;
    SCARDHANDLE card;
    /// A connection that nobody has taken leaves the card as it was.
    std::atomic<DWORD> disposition{SCARD_LEAVE_CARD};
};

DWORD to_code(Disposition disposition);
DWORD to_share_mode(Sharing sharing);
inline constexpr DWORD kScardProtocols = SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1;

/// One connection and the thread that its calls are made on.
class ScardConnection final : public RawCard {
public:
    ScardConnection(std::unique_ptr<CallThread> thread, std::shared_ptr<ScardHandle> handle,
                    DWORD protocol, std::string reader, const ConnectOptions& options);
    ScardConnection(const ScardConnection&) = delete;
    ScardConnection& operator=(const ScardConnection&) = delete;
    ~ScardConnection() override;

    Result<SecretBytes> exchange(ByteView command) override;
    /// What exchange() is asked from here on is one command; sleep() is its way to wait.
    void begin_command();
    void sleep(std::chrono::milliseconds time);

    Result<void> begin();
    /// Nobody else can use an exclusive card before we leave it; a shared one is left at the end of
    /// each transaction.
    void end();
    Result<void> reconnect(DWORD initialisation);

    [[nodiscard]] const std::string& reader() const { return reader_; }
    [[nodiscard]] Protocol protocol() const {
        return protocol_ == SCARD_PROTOCOL_T0 ? Protocol::T0 : Protocol::T1;
    }
    [[nodiscard]] unsigned apdu_count() const { return apdu_count_; }
    void set_disposition(Disposition on_leaving);
    void set_deadline(std::optional<std::chrono::steady_clock::time_point> end) { deadline_ = end; }

private:
    using Call = std::function<LONG(SCARDHANDLE)>;
    [[nodiscard]] std::chrono::milliseconds time_left() const;
    Result<void> call(Call what, std::chrono::milliseconds limit);

    std::unique_ptr<CallThread> thread_;
    std::shared_ptr<ScardHandle> handle_;
    DWORD protocol_;
    std::string reader_;
    ConnectOptions options_;
    std::optional<std::chrono::steady_clock::time_point> command_end_;
    std::optional<std::chrono::steady_clock::time_point> deadline_;
    unsigned apdu_count_ = 0;
};

} // namespace mtkey::uicc
