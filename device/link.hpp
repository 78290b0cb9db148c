// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "device/limits.hpp"
#include "local/device_session.hpp"
#include "transports/loader.hpp"

namespace mtkey::device {

/// Owns one connection to the MT and its session, and moves octets between the two while its owner
/// waits for something.
class Link {
public:
    Link(transports::Connection connection, const local::SessionSettings& timers,
         RandomSource& random, const Limits& limits);
    ~Link(); ///< says BYE if the session still runs
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    [[nodiscard]] local::DeviceSession& session() { return session_; }

    /// Until the session has something to tell. The end of the session is an Error.
    [[nodiscard]] Result<local::DeviceEvent> next_event();
    /// Keeps the link alive until `fd` is readable. That the link ends meanwhile is no Error here.
    [[nodiscard]] Result<void> attend(int fd);
    /// Until all output is on its way.
    [[nodiscard]] Result<void> flush();

private:
    /// One turn: output, timers, input; waits for the link, for `other` (-1 = none), or for the
    /// session's deadline.
    [[nodiscard]] Result<bool> turn(int other);
    void write_output();
    void read_input();
    void link_ended();

    transports::Connection connection_;
    const Limits& limits_;
    local::DeviceSession session_;
    Bytes output_;
    bool open_ = true;
};

} // namespace mtkey::device
