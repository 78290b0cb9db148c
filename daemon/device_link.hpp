// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/mt.hpp"
#include "daemon/procedure.hpp"
#include "daemon/reactor.hpp"
#include "local/mt_session.hpp"
#include "transports/loader.hpp"

#include <functional>
#include <memory>

namespace mtkey::daemon {

/// One connection that a transport handed over: moves octets between its descriptor and a
/// local::MtSession, keeps the session's deadline and lets a Procedure answer. Owns all three.
class DeviceLink {
public:
    /// `ended`: called once, from the loop, when the link is closed; the owner destroys it then.
    DeviceLink(Reactor& reactor, Mt& mt, transports::Connection connection,
               std::function<void()> ended);
    DeviceLink(const DeviceLink&) = delete;
    DeviceLink& operator=(const DeviceLink&) = delete;

    [[nodiscard]] const std::string& transport() const { return connection_.transport; }
    [[nodiscard]] const std::string& peer() const { return connection_.peer; }
    [[nodiscard]] std::string device() const { return procedure_.device(); }
    [[nodiscard]] bool proven() const { return procedure_.proven(); }
    [[nodiscard]] BootTime since() const { return since_; }
    void close(); ///< says BYE and ends
    void drop();  ///< ends at once

private:
    void on_ready(bool readable);
    void read_some();
    void write_some();
    void pump();
    void end();

    Reactor& reactor_;
    Mt& mt_;
    transports::Connection connection_;
    std::function<void()> ended_;
    local::MtSession session_;
    Procedure procedure_;
    Bytes output_; ///< what the descriptor has not taken yet; bounded by the session's answers
    BootTime since_;
    bool flushing_ = false;
    bool closed_ = false;
    std::unique_ptr<Reactor::Timer> deadline_;
    std::unique_ptr<Reactor::Watch> watch_;
};

} // namespace mtkey::daemon
