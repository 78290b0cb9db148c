// SPDX-License-Identifier: Apache-2.0
// The bsf+xml document of a hostile BSF (with require_rspauth off, or before it is a BSF at all).
#include "gba/bsf_document.hpp"

#include <cstdlib>

using namespace mtkey;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto document = gba::parse_bsf_document({data, size});
    if (!document) {
        return document.error().code == Errc::BsfBadAnswer ? 0 : (std::abort(), 0);
    }
    const auto& b_tid = document->b_tid;
    const bool printable = b_tid.find_first_of(" \t\r\n\x7F") == std::string::npos;
    const auto at = b_tid.rfind('@');
    if (size > gba::kBsfDocumentLimit || b_tid.size() > 255 || !printable ||
        at == std::string::npos || at + 1 == b_tid.size() ||
        parse_utc(document->lifetime_text) != document->lifetime) {
        std::abort();
    }
    return 0;
}
