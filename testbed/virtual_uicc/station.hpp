// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "testbed/virtual_uicc/slot.hpp"

#include <chrono>
#include <string>

namespace mtkey::testbed {

enum class Event {
    End,         ///< SIGTERM or SIGINT
    Readable,    ///< the descriptor that was waited for
    Timeout,     ///<
    CardChanged, ///< put in or taken out, by SIGUSR2 or a control line
    HangUp,      ///< a control line of that name
};

/// Waits for everybody that a program with a slot listens to: owns the descriptor of the signals,
/// the control socket and one connection to it. `slot` is borrowed.
///
/// Control lines, each answered by one line of JSON: count; remove; insert [CARD.TOML]; fault
/// KEY=VALUE...; no-faults; hang-up.
class Station {
public:
    /// Empty `control`: no socket. SIGPIPE is ignored from here on.
    static Result<Station> create(Slot& slot, const std::string& control);

    /// `fd` -1: none. Negative `timeout`: none.
    Result<Event> wait(int fd, std::chrono::milliseconds timeout);

private:
    explicit Station(Slot& slot) : slot_(&slot) {}
    Result<Event> signalled();
    /// Something to tell, or nothing.
    std::optional<Event> controlled();
    std::string obey(std::string_view line, std::optional<Event>& event);

    Slot* slot_;
    UniqueFd signals_;
    UniqueFd listener_;
    UniqueFd connection_;
    std::string received_;
};

} // namespace mtkey::testbed
