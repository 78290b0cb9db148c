// SPDX-License-Identifier: Apache-2.0
#include "device/stored_key.hpp"

#include "base/encoding.hpp"
#include "kdf/kdf.hpp"

#include <algorithm>

namespace mtkey::device {

kdf::NafId naf_id_of(const StoredKey& key) {
    kdf::NafId out;
    out.fqdn = key.naf_fqdn;
    std::ranges::copy_n(key.naf_ua.begin(),
                        static_cast<std::ptrdiff_t>(std::min(out.ua.size(), key.naf_ua.size())),
                        out.ua.begin());
    return out;
}

kdf::EstablishmentKeys establishment_keys_of(const StoredKey& key) {
    return kdf::establishment_keys(key.ks_local_mt, key.th_est);
}

std::string fingerprint_of(const StoredKey& key) {
    return to_hex(kdf::fingerprint(key.ks_local_mt.reveal()));
}

bool printable_name(std::string_view text, std::size_t limit) {
    return !text.empty() && text.size() <= limit &&
           std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

} // namespace mtkey::device
