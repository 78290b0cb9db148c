// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kdf/establishment.hpp"
#include "kdf/naf_id.hpp"
#include "store/key_store.hpp"

#include <string>

namespace mtkey::device {

/// One Ks_local_MT shared with one MT (draft 5.4.5) and what belongs to it. Its state is Pending or
/// Confirmed, which is called active here.
using StoredKey = store::KeyRecord;

/// Pseudonym of the MT, from the Key Center: the key is filed under it.
[[nodiscard]] inline const std::string& mt_id_of(const StoredKey& key) {
    return key.device_id;
}
[[nodiscard]] kdf::NafId naf_id_of(const StoredKey& key);
[[nodiscard]] kdf::EstablishmentKeys establishment_keys_of(const StoredKey& key);
/// Lets people compare both sides' keys (design decision 14).
[[nodiscard]] std::string fingerprint_of(const StoredKey& key);

/// Names that go into the store and the report: 1 to `limit` printable ASCII octets, no space.
bool printable_name(std::string_view text, std::size_t limit = 255);

} // namespace mtkey::device
