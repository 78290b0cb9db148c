// SPDX-License-Identifier: Apache-2.0
#include "device/naf_choice.hpp"

#include "base/log.hpp"
#include "device/key_center.hpp"

namespace mtkey::device {

namespace {

/// The longest suffix that `fqdn` lies under; empty when there is none.
std::string_view suffix_of(std::string_view fqdn, const std::vector<std::string>& suffixes) {
    std::string_view found;
    for (const auto& suffix : suffixes) {
        if (suffix.size() > found.size() && (fqdn == suffix || fqdn.ends_with("." + suffix))) {
            found = suffix;
        }
    }
    return found;
}

} // namespace

bool fqdn_permitted(std::string_view fqdn, const std::vector<std::string>& suffixes) {
    return !suffix_of(fqdn, suffixes).empty();
}

bool same_operator(std::string_view one, std::string_view other,
                   const std::vector<std::string>& suffixes) {
    const auto suffix = suffix_of(one, suffixes);
    return !suffix.empty() && suffix == suffix_of(other, suffixes);
}

Result<const local::NafEntry*> choose_naf(const std::vector<local::NafEntry>& offered,
                                          const std::string& preferred,
                                          const std::vector<std::string>& suffixes) {
    const local::NafEntry* first = nullptr;
    for (const auto& entry : offered) {
        if (!fqdn_permitted(entry.naf_id.fqdn, suffixes) || !key_center_target(entry)) {
            continue;
        }
        if (entry.naf_id.fqdn == preferred) {
            return &entry;
        }
        first = first == nullptr ? &entry : first;
    }
    if (first != nullptr) {
        return first;
    }
    const std::string example = offered.empty() ? "" : offered.front().naf_id.fqdn;
    return fail(Errc::NafNotAllowed,
                "the MT offers no key center under an allowed suffix (first is '" +
                    printable(example, 60) + "'); check key_center.allowed_suffixes");
}

} // namespace mtkey::device
