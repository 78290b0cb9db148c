// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "network/bsf/faults.hpp"

#include <string>
#include <string_view>

namespace mtkey::bsf {

inline constexpr std::string_view kBsfDocumentType = "application/vnd.3gpp.bsf+xml";

/// The body of the 200 (TS 24.109 annex C.1). `b_tid` holds base64 characters, '@' and an FQDN:
/// nothing to escape.
std::string bsf_document(std::string_view b_tid, UtcTime expires, const Faults& faults = {});

} // namespace mtkey::bsf
