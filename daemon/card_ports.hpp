// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/http_message.hpp"
#include "daemon/config.hpp"
#include "http/client.hpp"
#include "uicc/card_channel.hpp"
#include "uicc/reader_monitor.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace mtkey::daemon {

/// What of a card stays ours between two jobs.
enum class Hold : std::uint8_t {
    Card,    ///< all of it: nobody else can use it
    Channel, ///< selection and PIN; others use the card, on channels of their own
    Nothing, ///< each job begins anew
};

/// A connected card. Owns the connection; used by the card worker's thread alone.
class CardLink {
public:
    virtual ~CardLink() = default;
    /// The card for us alone until end(). Borrowed until then.
    [[nodiscard]] virtual Result<uicc::CardChannel*> begin() = 0;
    virtual void end() = 0;
    [[nodiscard]] virtual Hold hold() const = 0;
    /// False where a card may be taken out, or another put in, and nobody tells: then it is looked
    /// at before anything of it is used.
    [[nodiscard]] virtual bool tells_of_removal() const { return true; }
    [[nodiscard]] virtual unsigned apdu_count() const = 0; ///< since it was connected
    /// The card is not reset when this ends: it is none of ours, and has got no PIN from us.
    virtual void leave_alone() {}
};

/// The BSF for one run.
class BsfLink : public HttpExchange {
public:
    virtual void cancel() = 0; ///< from any thread; for good
};

/// Tells of readers as long as it lives.
class ReaderWatch {
public:
    virtual ~ReaderWatch() = default;
};

/// Where CardWork's world begins: PC/SC or a modem, and the network; or a test's.
struct CardPorts {
    /// The callback comes on a thread of the watch; none comes after its end.
    std::function<Result<std::unique_ptr<ReaderWatch>>(uicc::ReaderMonitor::Callback)> watch{};
    std::function<Result<std::unique_ptr<CardLink>>(const std::string& reader)> connect;
    std::function<std::unique_ptr<BsfLink>(http::ClientSettings)> bsf;
};
/// Borrows `config`.
CardPorts real_ports(const UiccConfig& config);

} // namespace mtkey::daemon
