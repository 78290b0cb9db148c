// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/gba_2g.hpp"

#include "aka/digest.hpp"

namespace mtkey::bsf {

Result<Challenge2g> make_2g_challenge(const aka::Vector& vector, const kdf::KsInput& ks_input) {
    const auto sres = aka::sres_from(vector.xres);
    const auto kc = aka::kc_from(vector.ck, vector.ik);
    const auto res = MTKEY_TRY(kdf::gba_2g_res(kc, sres, vector.rand));
    auto ks = MTKEY_TRY(kdf::gba_2g_ks(kc, sres, vector.rand, ks_input));
    return Challenge2g{aka::make_nonce(vector.rand, {}, ks_input), SecretBytes(res.reveal()),
                       std::move(ks)};
}

} // namespace mtkey::bsf
