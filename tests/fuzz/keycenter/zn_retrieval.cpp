// SPDX-License-Identifier: Apache-2.0
// The BSF's answer on Zn. Whatever it says: no key is left in the text, and what was read was in
// it.
#include "base/encoding.hpp"
#include "network/nafkc/zn_documents.hpp"

#include <cctype>
#include <cstdlib>
#include <string>

using namespace mtkey;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

std::string lower(std::string text) {
    for (auto& c : text) {
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return text;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string before(as_text(ByteView(data, size)));
    std::string text = before;
    const auto info = nafkc::take_retrieved(text);
    require(text.size() == before.size());
    if (info) {
        require(info->expires || info->created);
        require(!info->impi.empty());
        require(lower(before).find(to_hex(info->ks_naf.reveal())) != std::string::npos);
    }
    return 0;
}
