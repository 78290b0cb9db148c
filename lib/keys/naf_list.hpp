// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "kdf/naf_id.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mtkey::keys {

enum class NafOrigin { Configuration, Uicc };

/// One NAF_ID "with key center functionality stored in the MT" (draft 5.5.2 step 2).
struct NafEntry {
    kdf::NafId naf_id;
    std::optional<std::string> key_center_uri; ///< https on the same host; none = the fixed path
    NafOrigin origin = NafOrigin::Configuration;
};

/// Longest list that L2 carries; what comes later has the lowest priority and is left out.
inline constexpr std::size_t kMostNafs = 8;

/// Owns the MT's list, highest priority first: EF_NAFKCA in its order, then the configuration
/// (DRAFT-GAP(naf-list): the draft does not say where the list comes from). A Key Center of the
/// card that is configured too has its place from the card and its URI from the configuration.
class NafList {
public:
    NafList() = default;
    explicit NafList(std::vector<NafEntry> configured) : configured_(std::move(configured)) {
        merge();
    }

    /// FQDNs of EF_NAFKCA (TS 31.102 clause 4.2.87); it has no Ua octets, so they get the default
    /// ones. Names that are no FQDNs are left out. What has not changed is not looked at again.
    void set_from_uicc(const std::vector<std::string>& fqdns);
    [[nodiscard]] const std::vector<NafEntry>& entries() const { return merged_; }
    [[nodiscard]] bool contains(const kdf::NafId& naf_id) const;

private:
    void merge();
    std::vector<NafEntry> configured_;
    std::vector<std::string> fqdns_; ///< as they stood in the card
    std::vector<NafEntry> uicc_;
    std::vector<NafEntry> merged_;
};

} // namespace mtkey::keys
