// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string_view>

namespace mtkey::network {

/// Nbsp_GBA version 1 (TS 29.309).
inline constexpr std::string_view kRetrievalPath = "/nbsp-gba/v1/bootstrapping-info-retrieval";

/// False for what is not JSON, and for what parsers read differently or no document on Zn needs: a
/// member that stands twice, nesting deeper than `deepest`.
bool parse_json(std::string_view text, int deepest, nlohmann::json& out);

} // namespace mtkey::network
