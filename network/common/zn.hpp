// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace mtkey::network {

/// Nbsp_GBA version 1 (TS 29.309).
inline constexpr std::string_view kRetrievalPath = "/nbsp-gba/v1/bootstrapping-info-retrieval";

} // namespace mtkey::network
