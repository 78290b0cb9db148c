// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/config.hpp"
#include "daemon/device_link.hpp"
#include "daemon/mt.hpp"
#include "daemon/reactor.hpp"
#include "transports/loader.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace mtkey::daemon {

/// One transport instance as D-Bus shows it.
struct TransportView {
    std::string name;
    std::string plugin;
    std::string state; ///< "stopped", "starting", "listening", "failed"
    std::string last_error;
    std::uint32_t connections = 0;
};

/// Owns the transport instances of the configuration and the links of the devices that came over
/// them.
class TransportHost {
public:
    static constexpr std::size_t kMostLinks = 256;
    /// Links that nobody who is known has, of one transport (threats L7).
    static constexpr std::size_t kMostStrangers = 8;
    /// So many links of a device keep their places: it may come again before the end of the last
    /// one was noticed. The others are strangers', for anybody can say that he is the device.
    static constexpr std::size_t kLinksOfADevice = 2;
    /// So long a stranger is left alone: it is about to say who it is. Then it makes room.
    static constexpr std::chrono::seconds kStrangersTime{5};

    TransportHost(Reactor& reactor, Mt& mt);
    ~TransportHost();
    TransportHost(const TransportHost&) = delete;
    TransportHost& operator=(const TransportHost&) = delete;

    void set_changed(std::function<void(const std::string& name)> changed) {
        changed_ = std::move(changed);
    }
    /// Starts what the configuration names; one that fails stays in state "failed" and does not
    /// stop the others.
    void start_all();
    Result<void> start(const std::string& name);
    Result<void> stop(const std::string& name);
    /// BYE to every device and no new ones: for the end of the program.
    void stop_all();
    [[nodiscard]] std::vector<TransportView> views() const;

private:
    struct Slot {
        TransportConfig config;
        std::unique_ptr<transports::Instance> instance;
        std::unique_ptr<Reactor::Watch> watch;
        std::uint64_t start = 0; ///< number of the instance
        std::string last_error;
        transports::State state = transports::State::Stopped;
    };
    bool accept(const std::string& name, transports::Connection connection);
    /// Null = a link may come; for it a stranger may have had to go.
    [[nodiscard]] const char* make_room(const std::string& name);
    void ended(DeviceLink* link, std::uint64_t start);
    void changed(const std::string& name);

    Reactor& reactor_;
    Mt& mt_;
    std::function<void(const std::string&)> changed_;
    std::map<std::string, Slot> slots_;
    std::vector<std::unique_ptr<DeviceLink>> links_;
};

} // namespace mtkey::daemon
