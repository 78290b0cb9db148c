// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "testbed/virtual_modem/modem.hpp"
#include "testbed/virtual_uicc/station.hpp"

#include <functional>
#include <string>

namespace mtkey::testbed {

/// The modem on a pseudo terminal until the station says End: one command after the other, a
/// hang-up closes the terminal and opens another one. `ready` gets the path of each.
Result<void> serve_modem(Station& station, Modem& modem, const ModemProfile& profile,
                         const std::string& link,
                         const std::function<Result<void>(const std::string&)>& ready);

} // namespace mtkey::testbed
