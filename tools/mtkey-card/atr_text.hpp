// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

#include <nlohmann/json_fwd.hpp>

namespace mtkey::tools {

/// An ATR (ISO/IEC 7816-3 clause 8) for programs; null when there is none.
[[nodiscard]] nlohmann::json atr_document(ByteView atr);
void show_atr(const nlohmann::json& document);

} // namespace mtkey::tools
