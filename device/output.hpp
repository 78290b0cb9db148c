// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "device/procedure.hpp"

#include <optional>
#include <string>

namespace mtkey::device {

/// What the program says on stdout: one JSON object or lines for people. No key in either.
std::string established_text(const Outcome& outcome, const StoredKey& key, const RunReport& report,
                             bool json);
/// `answer`: the last L4, if there was one.
std::string failure_json(const Error& error, const RunReport& report,
                         const std::optional<local::EstablishmentAnswer>& answer);
/// Of the store as it was found, for people.
struct StoreStatus {
    std::string key_origin; ///< DeviceKeys::key_origin()
    store::LoadReport report;
};
std::string status_text(const std::string& device_id, const std::vector<const StoredKey*>& keys,
                        const StoreStatus& store, const Clock& clock, bool json);
std::string forgotten_text(std::size_t count, bool json);

/// "  17/15  stores Ks_local_MT and its lifetime (...)", for stderr.
std::string step_line(Step step, std::string_view detail);

} // namespace mtkey::device
