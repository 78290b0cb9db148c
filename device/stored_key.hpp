// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/secret.hpp"
#include "kdf/establishment.hpp"
#include "kdf/naf_id.hpp"
#include "local/messages.hpp"

#include <string>

namespace mtkey::device {

/// One Ks_local_MT shared with one MT (draft 5.4.5) and what belongs to it.
struct StoredKey {
    /// Pending: CONFIRM has not been acknowledged yet, the MT may or may not hold the key.
    enum class State { Pending, Active };

    std::string mt_id; ///< pseudonym of the MT, from the Key Center; the key is filed under it
    kdf::NafId naf_id;
    std::string b_tid;
    std::string device_id;
    std::string profile;
    std::string mode; ///< "gba-u", "gba-me", "gba-2g"
    Secret<32> ks_local_mt;
    kdf::TranscriptHash th_est{};
    local::EstId est_id{};
    UtcTime stored{}; ///< when this device filed it
    UtcTime expires{};
    State state = State::Pending;

    [[nodiscard]] StoredKey clone() const;
    /// Lets people compare both sides' keys (design decision 14).
    [[nodiscard]] std::string fingerprint() const;
};

/// Names that go into the key file and the report: 1 to `limit` printable ASCII octets, no space.
bool printable_name(std::string_view text, std::size_t limit = 255);

} // namespace mtkey::device
