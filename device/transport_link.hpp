// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "device/limits.hpp"
#include "transports/loader.hpp"

#include <chrono>
#include <deque>
#include <memory>

namespace mtkey::device {

/// Owns the device's transport instance; gives one connection after the other.
class TransportLink {
public:
    TransportLink(transports::InstanceSettings settings, std::chrono::milliseconds patience)
        : settings_(std::move(settings)), patience_(patience) {}
    TransportLink(const TransportLink&) = delete;
    TransportLink& operator=(const TransportLink&) = delete;

    /// The connection given before must be closed. Loads the plugin at the first call.
    [[nodiscard]] Result<transports::Connection> open(const Limits& limits);

private:
    transports::InstanceSettings settings_;
    std::chrono::milliseconds patience_;
    std::unique_ptr<transports::Instance> instance_;
    std::deque<transports::Connection> waiting_;
    std::string last_peer_;
};

} // namespace mtkey::device
