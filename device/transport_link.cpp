// SPDX-License-Identifier: Apache-2.0
#include "device/transport_link.hpp"

#include <array>
#include <poll.h>

namespace mtkey::device {

Result<transports::Connection> TransportLink::open(const Limits& limits) {
    if (instance_ == nullptr) {
        transports::Instance::Callbacks callbacks;
        callbacks.connected = [this](transports::Connection one) {
            waiting_.push_back(std::move(one));
            return true;
        };
        instance_ = MTKEY_TRY(transports::Instance::create(settings_, std::move(callbacks)));
    } else if (!last_peer_.empty()) {
        instance_->released(std::exchange(last_peer_, {}));
    }
    const BootTime until = limits.clock.boot_now() + patience_;
    while (waiting_.empty()) {
        std::array<pollfd, 1> wait{{{instance_->poll_fd(), POLLIN, 0}}};
        MTKEY_CHECK(wait_for(wait, limits, until));
        if (wait[0].revents == 0) {
            return fail(Errc::TimedOut, "no connection over transport " + settings_.plugin + ": " +
                                            instance_->last_message());
        }
        if (!instance_->dispatch()) {
            return fail(Errc::Internal,
                        "transport " + settings_.plugin + ": " + instance_->last_message());
        }
    }
    transports::Connection connection = std::move(waiting_.front());
    waiting_.pop_front();
    last_peer_ = connection.peer;
    return connection;
}

} // namespace mtkey::device
