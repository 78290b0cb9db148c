// SPDX-License-Identifier: Apache-2.0
// 2G GBA: the part of a run that differs when the card is a SIM.
#include "gba/gba_2g.hpp"

#include "aka/digest.hpp"
#include "base/log.hpp"
#include "gba/run.hpp"
#include "uicc/sim.hpp"

#include <algorithm>
#include <array>

namespace mtkey::gba {

Result<Challenge2g> parse_2g_nonce(std::string_view nonce) {
    constexpr std::array<std::uint8_t, 16> kZeros{};
    const auto parts = aka::parse_nonce(nonce);
    Challenge2g out;
    if (!parts || parts->autn != kZeros || parts->server_data.size() != out.ks_input.size()) {
        return fail(Errc::BsfBadAnswer, "the nonce is not that of a 2G challenge", 401);
    }
    out.rand = parts->rand;
    std::ranges::copy(parts->server_data, out.ks_input.begin());
    return out;
}

/// GSM does not authenticate the network: RAND may be one of a call long ago, and Kc of 64 bits
/// known since. Without the certificate of the BSF nothing of it would be sound.
Result<void> Run::check_2g() const {
    if (!settings_.allow_2g) {
        return fail(Errc::ConfigInvalid, "the card is a SIM, and gba.allow_2g is off");
    }
    if (settings_.policy == ModePolicy::RequireUicc) {
        return fail(Errc::NotSupportedByCard, "gba.mode = require-uicc, and the card is a SIM");
    }
    log(LogLevel::Warning, "2G GBA: the card is a SIM, what it proves is worth 64 bits at most");
    return {};
}

Result<Run::CardOutcome> Run::authenticate_2g(const DigestChallenge& challenge) {
    if (!bsf_.authenticated()) {
        return fail(Errc::ConfigInvalid, "2G GBA needs a BSF behind TLS: bsf.tls = true");
    }
    const auto of_sim = MTKEY_TRY(parse_2g_nonce(challenge.nonce));
    ++authenticates_;
    const auto answer = MTKEY_TRY(uicc::run_gsm_algorithm(card_, of_sim.rand));
    const auto res = MTKEY_TRY(kdf::gba_2g_res(answer.kc, answer.sres, of_sim.rand));
    auto ks = MTKEY_TRY(kdf::gba_2g_ks(answer.kc, answer.sres, of_sim.rand, of_sim.ks_input));
    return CardAnswer{mode_, SecretBytes(res.reveal()), std::move(ks)};
}

} // namespace mtkey::gba
