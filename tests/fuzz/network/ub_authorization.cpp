// SPDX-License-Identifier: Apache-2.0
// The Authorization header of a UE. What is accepted can be hashed, and its digest compared.
#include "network/bsf/ub_authorization.hpp"

#include <cstdlib>
#include <string>

using namespace mtkey;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    HttpRequest request;
    request.headers.add("Authorization", std::string(as_text(ByteView(data, size))));
    const auto parsed = bsf::parse_authorization(request, "bsf.example.org");
    if (parsed) {
        require(!parsed->inputs.username.empty() && parsed->inputs.realm == "bsf.example.org");
        if (!parsed->first()) {
            const auto ours = aka::digest_response(parsed->inputs, {}, {});
            require(aka::digest_equal(ours, ours) && parsed->response.size() == ours.size());
            require(!parsed->inputs.cnonce.empty());
        }
    }
    return 0;
}
