// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/procedure.hpp"
#include "local/device_session.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>

namespace mtkey::daemon {

/// One connection over memory: the MT's session and procedure, and a device that talks to them.
class ProcedureLink {
public:
    /// `pump`: the MT has an answer that did not come at once.
    explicit ProcedureLink(
        Mt& owner, std::function<void()> pump = [] {})
        : mt(owner),
          mt_session({}, owner.random(), std::nullopt, owner.clock().boot_now()),
          procedure(owner, mt_session, "serial0", "tty", std::move(pump)),
          device({}, owner.random(), owner.clock().boot_now()) {
        const auto event = exchange();
        th_conn = std::get<local::Connected>(event.value()).th_conn;
    }
    /// Until the device is told something; nothing when nobody has anything to say.
    std::optional<local::DeviceEvent> exchange() {
        while (true) {
            const auto up = device.take_output();
            mt_session.receive(up, mt.clock().boot_now());
            while (auto event = mt_session.next_event()) {
                procedure.handle(*std::move(event));
            }
            const auto down = mt_session.take_output();
            device.receive(down, mt.clock().boot_now());
            if (auto event = device.next_event()) {
                return event;
            }
            if (up.empty() && down.empty()) {
                return std::nullopt;
            }
        }
    }
    template <typename T>
    T expect() {
        auto event = exchange();
        EXPECT_TRUE(event && std::holds_alternative<T>(*event));
        return event && std::holds_alternative<T>(*event) ? std::get<T>(*event) : T{};
    }
    /// L1 and L2.
    local::KeyInfo key_info(const std::string& id) {
        device_id = id;
        device.request_key_info({id});
        return expect<local::KeyInfoReceived>().info;
    }
    /// L3; exchange() has the answer.
    void ask(const kdf::NafId& naf_id, std::optional<std::string> b_tid,
             local::Reason reason = local::Reason::NoKey) {
        device.request_establishment({naf_id, device_id, std::move(b_tid), reason});
    }

    Mt& mt;
    local::MtSession mt_session;
    Procedure procedure;
    local::DeviceSession device;
    kdf::TranscriptHash th_conn{};
    std::string device_id;
};

} // namespace mtkey::daemon
