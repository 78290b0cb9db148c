// SPDX-License-Identifier: Apache-2.0
#include "kdf/gba_2g.hpp"

#include "kdf/kdf.hpp"

#include <algorithm>

namespace mtkey::kdf {
namespace {

constexpr std::uint8_t kFc = 0x01;

/// Kc || Kc || RAND.
Secret<32> key_of(const Secret<8>& kc, const Rand& rand) {
    Secret<32> key;
    auto out = key.reveal_writable().begin();
    out = std::ranges::copy(kc.reveal(), out).out;
    out = std::ranges::copy(kc.reveal(), out).out;
    std::ranges::copy(rand, out);
    return key;
}

} // namespace

Result<Secret<16>> gba_2g_res(const Secret<8>& kc, const Secret<4>& sres, const Rand& rand) {
    const auto key = key_of(kc, rand);
    const auto out =
        MTKEY_TRY(derive(key.reveal(), kFc, {as_octets("3gpp-gba-res"), sres.reveal()}));
    return Secret<16>(out.reveal().first<16>());
}

Result<Secret<32>> gba_2g_ks(const Secret<8>& kc, const Secret<4>& sres, const Rand& rand,
                             const KsInput& ks_input) {
    const auto key = key_of(kc, rand);
    return derive(key.reveal(), kFc, {ks_input, as_octets("3gpp-gba-ks"), sres.reveal()});
}

} // namespace mtkey::kdf
