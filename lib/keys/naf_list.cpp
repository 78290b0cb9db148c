// SPDX-License-Identifier: Apache-2.0
#include "keys/naf_list.hpp"

#include <algorithm>

namespace mtkey::keys {

void NafList::set_from_uicc(const std::vector<std::string>& fqdns) {
    uicc_.clear();
    for (const auto& text : fqdns) {
        if (auto fqdn = kdf::canonical_fqdn(text)) {
            NafEntry entry;
            entry.naf_id.fqdn = *std::move(fqdn);
            entry.origin = NafOrigin::Uicc;
            uicc_.push_back(std::move(entry));
        }
    }
    merge();
}

void NafList::merge() {
    merged_.clear();
    for (const auto* source : {&uicc_, &configured_}) {
        for (const auto& entry : *source) {
            if (merged_.size() < kMostNafs && !contains(entry.naf_id)) {
                merged_.push_back(entry);
            }
        }
    }
}

bool NafList::contains(const kdf::NafId& naf_id) const {
    return std::ranges::find(merged_, naf_id, &NafEntry::naf_id) != merged_.end();
}

} // namespace mtkey::keys
