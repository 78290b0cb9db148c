// SPDX-License-Identifier: Apache-2.0
#include "keys/naf_list.hpp"

#include "base/log.hpp"

#include <algorithm>

namespace mtkey::keys {

void NafList::set_from_uicc(const std::vector<std::string>& fqdns) {
    if (fqdns == fqdns_) {
        return;
    }
    fqdns_ = fqdns;
    uicc_.clear();
    for (const auto& text : fqdns) {
        if (auto fqdn = kdf::canonical_fqdn(text)) {
            NafEntry entry;
            entry.naf_id.fqdn = *std::move(fqdn);
            entry.origin = NafOrigin::Uicc;
            uicc_.push_back(std::move(entry));
        } else {
            log(LogLevel::Warning, "EF_NAFKCA: not an FQDN, left out", {{"name", printable(text)}});
        }
    }
    merge();
}

void NafList::merge() {
    merged_.clear();
    for (const auto* source : {&uicc_, &configured_}) {
        for (const auto& entry : *source) {
            const auto same = std::ranges::find(merged_, entry.naf_id, &NafEntry::naf_id);
            if (same != merged_.end()) {
                if (!same->key_center_uri) {
                    same->key_center_uri = entry.key_center_uri;
                }
            } else if (merged_.size() < kMostNafs) {
                merged_.push_back(entry);
            } else {
                log(LogLevel::Warning, "more Key Centers than a device is told, left out",
                    {{"naf_id", entry.naf_id.text()}});
            }
        }
    }
}

bool NafList::contains(const kdf::NafId& naf_id) const {
    return std::ranges::find(merged_, naf_id, &NafEntry::naf_id) != merged_.end();
}

} // namespace mtkey::keys
