// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// PC/SC: pcscd and its readers. Calls here may block as long as pcscd likes: for worker threads
// only. list_readers and wait_for_change are for one thread of the process:
// pcsc-lite 1.9.9 keeps one unlocked table for them (and for SCardStatus, which is not used for
// that reason; a card's ATR is in its ReaderState).
namespace mtkey::uicc {

/// The one table of SCARD codes. `detail` of the Error is the code.
[[nodiscard]] Error pcsc_error(long code, std::string what);
/// True when the Error says that pcscd has gone: the context is dead, a new one may work at once
/// (socket activation).
[[nodiscard]] bool is_service_away(const Error& error);
/// True when somebody has reset the card: reconnect, then select and verify anew.
[[nodiscard]] bool is_card_reset(const Error& error);

/// Owns one connection to pcscd. Used by one thread; another one may only cancel().
class ScardContext {
public:
    [[nodiscard]] static Result<ScardContext> establish();
    ScardContext(ScardContext&&) noexcept = default;
    ScardContext& operator=(ScardContext&&) noexcept = default;
    ScardContext(const ScardContext&) = delete;
    ScardContext& operator=(const ScardContext&) = delete;
    ~ScardContext() = default;

    /// A second owner; the last one releases. For a call that may outlive the first.
    [[nodiscard]] ScardContext clone() const { return ScardContext(owner_); }
    [[nodiscard]] long handle() const;
    /// A hint to a wait in another thread: pcscd 1.9.9 may lose it.
    void cancel() const;

private:
    struct Owner;
    explicit ScardContext(std::shared_ptr<const Owner> owner) : owner_(std::move(owner)) {}
    std::shared_ptr<const Owner> owner_;
};

/// What pcscd says of a reader and the card in it.
struct ReaderState {
    std::string name;
    bool present = false;
    bool mute = false;   ///< a card that gives no ATR
    bool in_use = false; ///< some program is connected, we included
    Bytes atr;
    std::uint32_t raw =
        0; ///< flags and counter of insertions and removals, as pcscd wants them back

    /// Differs after the card was out, however short, but not by `in_use`.
    [[nodiscard]] bool same_card(const ReaderState& other) const;
};

/// No reader at all is an empty list.
[[nodiscard]] Result<std::vector<std::string>> list_readers(const ScardContext& context);
/// Returns when something differs from `known` (at once for readers that are not in it) or the time
/// is over; the present state either way. Bounded: never waits longer than `timeout`.
[[nodiscard]] Result<std::vector<ReaderState>>
wait_for_change(const ScardContext& context, const std::vector<ReaderState>& known,
                std::chrono::milliseconds timeout);

} // namespace mtkey::uicc
