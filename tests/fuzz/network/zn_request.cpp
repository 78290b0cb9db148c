// SPDX-License-Identifier: Apache-2.0
// A NAF's request on Zn. What is accepted names a NAF in canonical form.
#include "kdf/naf_id.hpp"
#include "network/bsf/zn_documents.hpp"

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
    const auto request = bsf::parse_bootstrapping_info_request(as_text(ByteView(data, size)));
    if (request) {
        require(!request->b_tid.empty() && request->b_tid.size() <= 512);
        require(kdf::canonical_fqdn(request->naf_id.fqdn) == request->naf_id.fqdn);
    } else {
        require(request.error().code == Errc::Malformed && !request.error().context.empty());
    }
    return 0;
}
