// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/aka.hpp"
#include "base/result.hpp"
#include "testbed/virtual_uicc/card_profile.hpp"
#include "testbed/virtual_uicc/fault.hpp"

#include <memory>
#include <optional>
#include <string>

namespace mtkey::testbed {

/// card.toml: what a card is made of. README.md names its keys; all are optional.
struct CardFile {
    CardProfile profile;
    bool has_imsi = false;                     ///< else the subscriber's
    bool has_mnc_length = false;               ///< else the subscriber's
    std::optional<aka::Sqn> sqn;               ///< highest SQN accepted so far; none = 0
    std::unique_ptr<aka::Algorithm> algorithm; ///< with K; null = the subscriber's
    std::string state;                         ///< file of the card's memory; empty = none
    std::vector<Fault> faults;
};

/// A file with [key] must be one that nobody else may read (mode 0600).
Result<CardFile> read_card_file(const std::string& path);
Result<CardFile> parse_card_file(std::string_view text, const std::string& path);

} // namespace mtkey::testbed
