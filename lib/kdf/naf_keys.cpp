// SPDX-License-Identifier: Apache-2.0
#include "kdf/naf_keys.hpp"

#include "base/encoding.hpp"
#include "kdf/kdf.hpp"

#include <algorithm>

namespace mtkey::kdf {
namespace {

constexpr std::uint8_t kFc = 0x01; // TS 33.220 clause B.3
/// Ua security protocol identifier of the TMPI generation (TS 33.220 annex H.3).
constexpr UaId kTmpiUaId{0x01, 0x00, 0x00, 0x01, 0x00};

Result<Secret<32>> naf_key(const Secret<32>& ks, std::string_view label, const Rand& rand,
                           std::string_view impi, const NafId& naf_id) {
    if (impi.empty() || naf_id.fqdn.empty()) {
        return fail(Errc::InvalidArgument, "NAF key derivation needs an IMPI and a NAF_ID");
    }
    const Bytes naf = naf_id.octets();
    return derive(ks.reveal(), kFc, {as_octets(label), rand, as_octets(impi), naf});
}

} // namespace

Secret<32> ks(std::span<const std::uint8_t, 16> ck, std::span<const std::uint8_t, 16> ik) {
    Secret<32> out;
    std::ranges::copy(ck, out.reveal_writable().begin());
    std::ranges::copy(ik, out.reveal_writable().begin() + 16);
    return out;
}

Result<Secret<32>> ks_ext_naf(const Secret<32>& ks, const Rand& rand, std::string_view impi,
                              const NafId& naf_id) {
    return naf_key(ks, "gba-me", rand, impi, naf_id);
}

Result<Secret<32>> ks_int_naf(const Secret<32>& ks, const Rand& rand, std::string_view impi,
                              const NafId& naf_id) {
    return naf_key(ks, "gba-u", rand, impi, naf_id);
}

Result<NafId> bsf_id(std::string_view bsf_fqdn) {
    return NafId{MTKEY_TRY(canonical_fqdn(bsf_fqdn)), kTmpiUaId};
}

std::string tmpi(const Secret<32>& key_of_bsf_id) {
    return to_base64(key_of_bsf_id.reveal().first<24>()).append(kTmpiSuffix);
}

Result<std::string> tmpi(const Secret<32>& ks, const Rand& rand, std::string_view impi,
                         std::string_view bsf_fqdn) {
    return tmpi(MTKEY_TRY(ks_ext_naf(ks, rand, impi, MTKEY_TRY(bsf_id(bsf_fqdn)))));
}

} // namespace mtkey::kdf
