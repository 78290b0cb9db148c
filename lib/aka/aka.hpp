// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/algorithm.hpp"
#include "aka/sqn_array.hpp"

#include <optional>
#include <variant>

namespace mtkey::aka {

// ---- network side (AuC, BSF)

/// One authentication vector (TS 33.102 clause 6.3.2).
struct Vector {
    Rand rand;
    Autn autn;
    SecretBytes xres;
    Secret<16> ck;
    Secret<16> ik;
};
Vector generate_vector(const Algorithm& algorithm, const Rand& rand, const Sqn& sqn,
                       const Amf& amf);

/// GBA_U, TS 33.220 clause 5.3.2, from memory of the standard: each half has its own switch on both
/// ends.
struct GbaURules {
    bool modify_mac = true; ///< MAC* = MAC xor Trunc64(SHA-1(IK))
    bool flip_res = true;   ///< least significant bit of (X)RES flipped
};
/// AUTN* for the UE. An involution: applied to AUTN* it gives AUTN.
Autn gba_u_autn(const Autn& autn, const Secret<16>& ik, const GbaURules& rules);
void gba_u_flip(SecretBytes& res, const GbaURules& rules);

/// SQN_MS from AUTS when its MAC-S holds (TS 33.102 clause 6.3.5, AMF* = 0000), else nothing.
std::optional<Sqn> verify_auts(const Algorithm& algorithm, const Rand& rand, const Auts& auts);

// ---- USIM side

/// What the USIM's AUTN check gives (TS 33.102 clause 6.3.3); the MAC is checked before SQN.
struct MacWrong {};
struct Accepted {
    Sqn sqn;
    Algorithm::Outputs outputs;
};
struct OutOfSync {
    Auts auts;
};
using AutnVerdict = std::variant<MacWrong, Accepted, OutOfSync>;
/// Fresh or not is `sqn_ms`' business; accepting is the caller's. `autn` is the plain one: GBA_U is
/// undone before.
AutnVerdict check_autn(const Algorithm& algorithm, const Rand& rand, const Autn& autn,
                       const SqnArray& sqn_ms);
/// GBA_U form: takes AUTN* and undoes MAC* with its own IK.
AutnVerdict check_autn_gba_u(const Algorithm& algorithm, const Rand& rand, const Autn& autn_star,
                             const SqnArray& sqn_ms, const GbaURules& rules);
/// The same with one counter in the place of the array: `sqn_ms` is the highest SQN accepted so
/// far, `limit` counts in SQN.
AutnVerdict check_autn(const Algorithm& algorithm, const Rand& rand, const Autn& autn,
                       const Sqn& sqn_ms, std::uint64_t limit = 0);
AutnVerdict check_autn_gba_u(const Algorithm& algorithm, const Rand& rand, const Autn& autn_star,
                             const Sqn& sqn_ms, const GbaURules& rules, std::uint64_t limit = 0);

/// AUTS = (SQN_MS xor AK*) || MAC-S.
Auts make_auts(const Algorithm& algorithm, const Rand& rand, const Sqn& sqn_ms);

// ---- GSM, out of the same subscriber

/// SRES by conversion function c2: RES, filled with zeros to 16 octets, its four words xored; Kc by
/// c3 (TS 33.102 clause 6.8.1.2). With Milenage they are GSM-MILENAGE with SRES derivation function
/// #1 (TS 55.205).
Secret<4> sres_from(const SecretBytes& res);
Secret<8> kc_from(const Secret<16>& ck, const Secret<16>& ik);

/// What SIM and AuC share for one RAND (TS 43.020).
struct GsmTriplet {
    Secret<4> sres;
    Secret<8> kc;
};
GsmTriplet gsm_triplet(const Algorithm& algorithm, const Rand& rand);

Sqn sqn_from_number(std::uint64_t number); ///< modulo 2^48
std::uint64_t sqn_to_number(const Sqn& sqn);

} // namespace mtkey::aka
