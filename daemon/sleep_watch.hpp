// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/unique_fd.hpp"
#include "daemon/card_service.hpp"

#include <memory>

namespace sdbus {
class IConnection;
class IProxy;
} // namespace sdbus

namespace mtkey::daemon {

/// Leaves the card before the system sleeps and takes it again afterwards, as logind tells it
/// (org.freedesktop.login1, PrepareForSleep). Holds logind's delay lock meanwhile, so that there is
/// time for it. Without logind nothing happens.
class SleepWatch {
public:
    /// Both are borrowed.
    SleepWatch(sdbus::IConnection& connection, CardService& card);
    SleepWatch(const SleepWatch&) = delete;
    SleepWatch& operator=(const SleepWatch&) = delete;
    ~SleepWatch();

private:
    void check_sender(bool sleeps);
    void told(bool sleeps);
    void take_lock();

    CardService& card_;
    UniqueFd lock_; ///< the system does not sleep while it is open, for five seconds at most
    std::unique_ptr<sdbus::IProxy> logind_;
    std::unique_ptr<sdbus::IProxy> bus_;
};

} // namespace mtkey::daemon
