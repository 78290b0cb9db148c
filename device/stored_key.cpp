// SPDX-License-Identifier: Apache-2.0
#include "device/stored_key.hpp"

#include "base/encoding.hpp"
#include "kdf/kdf.hpp"

#include <algorithm>

namespace mtkey::device {

StoredKey StoredKey::clone() const {
    return {mt_id,  naf_id, b_tid,  device_id, profile, mode, ks_local_mt.clone(),
            th_est, est_id, stored, expires,   state};
}

std::string StoredKey::fingerprint() const {
    return to_hex(kdf::fingerprint(ks_local_mt.reveal()));
}

bool printable_name(std::string_view text, std::size_t limit) {
    return !text.empty() && text.size() <= limit &&
           std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

} // namespace mtkey::device
