// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "device/procedure.hpp"

#include <optional>

namespace mtkey::device {

/// Adds its life time to the report, under a name; the same name again adds up.
class DeviceProcedure::Phase {
public:
    Phase(DeviceProcedure& owner, std::string name)
        : owner_(owner), name_(std::move(name)), began_(owner.out_.limits.clock.boot_now()) {}
    ~Phase();
    Phase(const Phase&) = delete;
    Phase& operator=(const Phase&) = delete;

private:
    DeviceProcedure& owner_;
    std::string name_;
    BootTime began_;
};

/// One connection on which both have said HELLO.
struct DeviceProcedure::Connected {
    /// Somebody outside may want to know what the MT has answered, whatever becomes of the run.
    class ToldLink : public Link {
    public:
        ToldLink(transports::Connection connection, const local::SessionSettings& timers,
                 const Surroundings& out)
            : Link(std::move(connection), timers, out.random, out.limits), out_(out) {}

        [[nodiscard]] Result<local::DeviceEvent> next_event() {
            auto event = MTKEY_TRY(Link::next_event());
            const auto* received = std::get_if<local::EstablishmentReceived>(&event);
            if (received != nullptr && out_.on_answer) {
                out_.on_answer(received->answer);
            }
            return event;
        }

    private:
        const Surroundings& out_;
    };

    Connected(transports::Connection connection, const local::SessionSettings& timers,
              const Surroundings& out)
        : link(std::move(connection), timers, out) {}

    template <typename Event>
    [[nodiscard]] Result<Event> expect() {
        auto event = MTKEY_TRY(link.next_event());
        if (auto* wanted = std::get_if<Event>(&event)) {
            return std::move(*wanted);
        }
        return fail(Errc::ProtocolViolation, "the MT answered something else");
    }

    ToldLink link;
    kdf::TranscriptHash th_conn{};
};

/// What the device has chosen from L2.
struct DeviceProcedure::Selection {
    local::NafEntry entry;
    KeyCenterTarget target;
    std::optional<std::string> b_tid; ///< nothing: the full procedure
    local::Reason reason = local::Reason::NoKey;
};

} // namespace mtkey::device
