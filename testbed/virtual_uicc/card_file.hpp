// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/aka.hpp"
#include "base/result.hpp"
#include "testbed/virtual_uicc/card_profile.hpp"

#include <optional>
#include <string>

namespace mtkey::testbed {

/// card.toml: what a card is made of, without its keys (those are the subscriber's).
struct CardFile {
    CardProfile profile;
    bool has_imsi = false;       ///< else the subscriber's
    bool has_mnc_length = false; ///< else the subscriber's
    std::optional<aka::Sqn> sqn; ///< highest SQN accepted so far; none = 0
};

/// Keys: iccid, imsi, mnc_length, gba, local_key, gsm_access, pin, naf_key_centers, sqn (12 hex
/// digits), protocol ("t0", "t1"), [gba_u] modify_mac, flip_res. All optional.
Result<CardFile> read_card_file(const std::string& path);
Result<CardFile> parse_card_file(std::string_view text, const std::string& path);

} // namespace mtkey::testbed
