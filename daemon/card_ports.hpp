// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/http_message.hpp"
#include "daemon/config.hpp"
#include "http/client.hpp"
#include "uicc/card_channel.hpp"

#include <functional>
#include <memory>
#include <string>

namespace mtkey::daemon {

/// A connected card. Owns the connection; used by the card worker's thread alone.
class CardLink {
public:
    virtual ~CardLink() = default;
    /// The card for us alone until end(). Borrowed until then.
    [[nodiscard]] virtual Result<uicc::CardChannel*> begin() = 0;
    virtual void end() = 0;
    [[nodiscard]] virtual unsigned apdu_count() const = 0; ///< since it was connected
    /// The card is not reset when this ends: it is none of ours, and has got no PIN from us.
    virtual void leave_alone() {}
};

/// The BSF for one run.
class BsfLink : public HttpExchange {
public:
    virtual void cancel() = 0; ///< from any thread; for good
};

/// Where CardWork's world begins: PC/SC and the network, or a test's.
struct CardPorts {
    std::function<Result<std::unique_ptr<CardLink>>(const std::string& reader)> connect;
    std::function<std::unique_ptr<BsfLink>(http::ClientSettings)> bsf;
};
CardPorts real_ports(const UiccConfig& config);

} // namespace mtkey::daemon
