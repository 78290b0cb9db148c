// SPDX-License-Identifier: Apache-2.0
// Authentication-Info of a hostile BSF that may have seen everything but RES. What is accepted must
// hold the one rspauth that RES makes; what it announces is looked at like a challenge.
#include "aka/digest.hpp"
#include "gba/authentication_info.hpp"
#include "gba/challenge.hpp"

#include <array>
#include <cstdlib>

using namespace mtkey;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::array<std::uint8_t, 8> kRes{0xA5, 0x42, 0x11, 0xD5, 0xE3, 0xBA, 0x50, 0xBE};
    aka::DigestInputs inputs;
    inputs.username = "user@example.org";
    inputs.realm = "bsf.example.org";
    inputs.nonce = aka::make_nonce({1}, {2});
    inputs.cnonce = "c";
    HttpResponse response;
    response.body = "body";
    const std::string field(as_text({data, size}));
    response.headers.add("Authentication-Info", field);
    const auto info = gba::verify_authentication_info(response, inputs, "o", kRes, true);
    if (!info) {
        return info.error().code == Errc::BsfUntrusted ? 0 : (std::abort(), 0);
    }
    // Short of escapes (\) it stands there as it is.
    if (field.find('\\') == std::string::npos &&
        field.find(aka::digest_rspauth(inputs, kRes, as_octets(response.body))) ==
            std::string::npos) {
        std::abort();
    }
    if (info->next_nonce) {
        gba::DigestChallenge answered;
        answered.aka = {.rand = {1}, .autn = {2}};
        const auto next = gba::accept_next_nonce(*info->next_nonce, answered);
        if (next && (!next->kept || next->aka == answered.aka || !aka::parse_nonce(next->nonce))) {
            std::abort();
        }
    }
    return 0;
}
