// SPDX-License-Identifier: Apache-2.0
// WWW-Authenticate of a hostile BSF. What is accepted must be what the header promises.
#include "aka/digest.hpp"
#include "gba/challenge.hpp"
#include "gba/gba_2g.hpp"

#include <array>
#include <cstdlib>

using namespace mtkey;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::string_view kFqdn = "bsf.mnc001.mcc001.pub.3gppnetwork.org";
    const std::string field(as_text({data, size}));
    HttpHeaders headers;
    headers.add("WWW-Authenticate", field);
    const auto challenge = gba::accept_challenge(headers, kFqdn);
    if (!challenge) {
        return challenge.error().code == Errc::BsfBadAnswer ? 0 : (std::abort(), 0);
    }
    const auto nonce = aka::parse_nonce(challenge->nonce);
    const bool kept = nonce && nonce->rand == challenge->aka.rand &&
                      nonce->autn == challenge->aka.autn && challenge->realm == kFqdn;
    if (const auto of_sim = gba::parse_2g_nonce(challenge->nonce)) {
        const bool zeros = challenge->aka.autn == std::array<std::uint8_t, 16>{};
        if (!zeros || challenge->nonce.size() != 64 || of_sim->rand != challenge->aka.rand) {
            std::abort();
        }
    }
    const bool said = field.find("AKAv1-MD5") != std::string::npos ||
                      field.find('\\') != std::string::npos; // spelt with escapes
    if (!kept || !said || (challenge->opaque && !aka::quote(*challenge->opaque))) {
        std::abort();
    }
    return 0;
}
