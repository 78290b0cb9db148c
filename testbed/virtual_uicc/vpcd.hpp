// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "testbed/virtual_uicc/slot.hpp"
#include "testbed/virtual_uicc/station.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace mtkey::testbed {

/// A slot's end of vsmartcard's virtual reader. Protocol: 16-bit big-endian length, then one
/// control octet (power off, power on, reset, ATR) or a command APDU.
class VpcdClient {
public:
    VpcdClient(std::string host, std::uint16_t port) : host_(std::move(host)), port_(port) {}

    /// Serves `slot` until the station says End. An empty slot is no connection. The first
    /// connection has ten seconds to come about, then `ready` is called; a lost one is made again
    /// for as long as it takes.
    Result<void> run(Station& station, Slot& slot, const std::function<Result<void>()>& ready);

private:
    std::string host_;
    std::uint16_t port_;
};

} // namespace mtkey::testbed
