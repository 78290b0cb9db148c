// SPDX-License-Identifier: Apache-2.0
// Key request and answer documents. What is accepted must come back from our own writing of it.
#include "keycenter/documents.hpp"

#include <cstdlib>

using namespace mtkey;

namespace {
void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto document = as_text(ByteView(data, size));
    if (const auto request = keycenter::parse_request(document)) {
        const auto again = keycenter::parse_request(keycenter::encode(*request));
        require(again && again->b_tid == request->b_tid && again->device_id == request->device_id &&
                again->naf_id == request->naf_id);
    }
    if (const auto answer = keycenter::parse_answer(document)) {
        const auto again = keycenter::parse_answer(keycenter::encode(*answer));
        require(again && again->b_tid == answer->b_tid &&
                again->ks_local_mt == answer->ks_local_mt && again->expires == answer->expires &&
                again->mt_id == answer->mt_id);
    }
    return 0;
}
