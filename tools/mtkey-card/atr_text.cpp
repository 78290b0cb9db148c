// SPDX-License-Identifier: Apache-2.0
#include "tools/mtkey-card/atr_text.hpp"

#include "base/encoding.hpp"

#include <iostream>
#include <nlohmann/json.hpp>

namespace mtkey::tools {

using nlohmann::json;

json atr_document(ByteView atr) {
    return atr.empty() ? json() : json{{"raw", to_hex(atr)}};
}

void show_atr(const json& document) {
    std::cout << "ATR     "
              << (document.is_null() ? "not told (a modem)" : document["raw"].get<std::string>())
              << "\n";
}

} // namespace mtkey::tools
