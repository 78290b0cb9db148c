// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "daemon/authorisation.hpp"
#include "daemon/key_keeper.hpp"
#include "daemon/mt.hpp"
#include "daemon/reactor.hpp"
#include "daemon/transport_host.hpp"

#include <memory>
#include <string>

namespace mtkey::daemon {

/// The daemon on D-Bus: connection, objects of org.mtkeyd1, their signals. Owns all of them;
/// reactor thread only.
class Bus {
public:
    /// Connects, exports everything, then takes the name. `address` "" = the system bus.
    static Result<std::unique_ptr<Bus>> create(Reactor& reactor, Mt& mt, TransportHost& transports,
                                               KeyKeeper& keeper, const std::string& address,
                                               OwnUser own_user = OwnUser::Passes);
    ~Bus();
    Bus(const Bus&) = delete;
    Bus& operator=(const Bus&) = delete;

    /// The daemon's events, for Mt::set_events.
    [[nodiscard]] MtEvents events();
    void transport_changed(const std::string& name);

private:
    class Impl;
    explicit Bus(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace mtkey::daemon
