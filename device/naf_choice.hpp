// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "local/messages.hpp"

#include <string>
#include <vector>

namespace mtkey::device {

/// `fqdn` is one of the suffixes or ends with "." and one of them.
bool fqdn_permitted(std::string_view fqdn, const std::vector<std::string>& suffixes);

/// Both lie under the same suffix, the longest of those that fit, and so belong to one operator. An
/// FQDN under none belongs to nobody.
bool same_operator(std::string_view one, std::string_view other,
                   const std::vector<std::string>& suffixes);

/// Draft 5.5.3 step 5 (5.5.2 step 6): the preferred Key Center if the MT lists it, else the first
/// that is permitted; entries whose URI is unusable do not count. The list came over an
/// unauthenticated link: without the suffixes a hostile MT could name a Key Center of its own.
/// DRAFT-GAP(naf-choice): the draft leaves the choice open. Borrowed from `offered`.
Result<const local::NafEntry*> choose_naf(const std::vector<local::NafEntry>& offered,
                                          const std::string& preferred,
                                          const std::vector<std::string>& suffixes);

} // namespace mtkey::device
