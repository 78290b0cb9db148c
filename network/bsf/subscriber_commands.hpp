// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace mtkey::bsf {

/// `mtkey-bsf subscriber ...`: the database of a BSF, whether it serves or not.
struct SubscriberOptions {
    std::string database; ///< path
    std::string config;   ///< or of the configuration that names it
    bool json = false;

    // add
    std::string imsi; ///< remove too
    std::optional<unsigned> mnc_length;
    std::optional<std::string> algorithm;
    std::optional<std::string> mode;
    std::optional<std::string> amf;
    std::optional<std::string> sqn;
    std::optional<std::int64_t> lifetime_seconds;
    std::string keys_file; ///< "k = ...", "opc = ..." or "op = ..." as in a subscriber file
    int keys_fd = -1;      ///< the same; -1 = none

    std::string file; ///< of import
};

/// What the commands print goes to stdout; no key is ever printed.
Result<void> subscriber_add(const SubscriberOptions& options);
Result<void> subscriber_list(const SubscriberOptions& options);
/// NotFound without one.
Result<void> subscriber_remove(const SubscriberOptions& options);
/// Those that are there already stay as they are.
Result<void> subscriber_import(const SubscriberOptions& options);

} // namespace mtkey::bsf
