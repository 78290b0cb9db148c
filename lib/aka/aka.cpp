// SPDX-License-Identifier: Apache-2.0
#include "aka/aka.hpp"

#include "base/hash.hpp"

#include <algorithm>
#include <utility>

namespace mtkey::aka {
namespace {

constexpr std::size_t kAmfAt = 6;
constexpr std::size_t kMacAt = 8;
constexpr std::uint64_t kSqnMask = 0xFFFF'FFFF'FFFF;

Sqn xor_of(const Sqn& a, const Secret<6>& key) {
    Sqn out = a;
    const auto octets = key.reveal();
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] ^= octets[i];
    }
    return out;
}

template <std::size_t N>
std::array<std::uint8_t, N> slice(ByteView octets, std::size_t from) {
    std::array<std::uint8_t, N> out{};
    std::ranges::copy(octets.subspan(from, N), out.begin());
    return out;
}

AutnVerdict verdict(const Algorithm& algorithm, const Rand& rand, const Autn& autn,
                    const SqnArray& sqn_ms, Algorithm::Outputs outputs) {
    const Sqn sqn = xor_of(slice<6>(autn, 0), outputs.ak);
    const Mac expected = algorithm.f1(rand, sqn, slice<2>(autn, kAmfAt));
    if (!equal_constant_time(expected, ByteView(autn).subspan(kMacAt))) {
        return MacWrong{};
    }
    if (!sqn_ms.fresh(sqn)) {
        return OutOfSync{make_auts(algorithm, rand, sqn_ms.highest())};
    }
    return Accepted{sqn, std::move(outputs)};
}

} // namespace

Vector generate_vector(const Algorithm& algorithm, const Rand& rand, const Sqn& sqn,
                       const Amf& amf) {
    auto outputs = algorithm.f2345(rand);
    const Mac mac = algorithm.f1(rand, sqn, amf);
    Autn autn{};
    std::ranges::copy(xor_of(sqn, outputs.ak), autn.begin());
    std::ranges::copy(amf, autn.begin() + kAmfAt);
    std::ranges::copy(mac, autn.begin() + kMacAt);
    return {.rand = rand,
            .autn = autn,
            .xres = std::move(outputs.res),
            .ck = std::move(outputs.ck),
            .ik = std::move(outputs.ik)};
}

Autn gba_u_autn(const Autn& autn, const Secret<16>& ik, const GbaURules& rules) {
    Autn out = autn;
    if (rules.modify_mac) {
        const auto digest = sha1({ik.reveal()});
        for (std::size_t i = kMacAt; i < out.size(); ++i) {
            out[i] ^= digest[i - kMacAt]; // Trunc: the first 64 bits
        }
    }
    return out;
}

void gba_u_flip(SecretBytes& res, const GbaURules& rules) {
    if (rules.flip_res && !res.empty()) {
        res.reveal_writable().back() ^= 0x01;
    }
}

std::optional<Sqn> verify_auts(const Algorithm& algorithm, const Rand& rand, const Auts& auts) {
    const Sqn sqn_ms = xor_of(slice<6>(auts, 0), algorithm.f5_star(rand));
    const Mac expected = algorithm.f1_star(rand, sqn_ms, Amf{});
    if (!equal_constant_time(expected, ByteView(auts).subspan(6))) {
        return std::nullopt;
    }
    return sqn_ms;
}

AutnVerdict check_autn(const Algorithm& algorithm, const Rand& rand, const Autn& autn,
                       const SqnArray& sqn_ms) {
    return verdict(algorithm, rand, autn, sqn_ms, algorithm.f2345(rand));
}

AutnVerdict check_autn_gba_u(const Algorithm& algorithm, const Rand& rand, const Autn& autn_star,
                             const SqnArray& sqn_ms, const GbaURules& rules) {
    auto outputs = algorithm.f2345(rand);
    const Autn autn = gba_u_autn(autn_star, outputs.ik, rules);
    return verdict(algorithm, rand, autn, sqn_ms, std::move(outputs));
}

AutnVerdict check_autn(const Algorithm& algorithm, const Rand& rand, const Autn& autn,
                       const Sqn& sqn_ms, std::uint64_t limit) {
    return check_autn(algorithm, rand, autn, SqnArray(sqn_ms, {.ind_bits = 0, .limit = limit}));
}

AutnVerdict check_autn_gba_u(const Algorithm& algorithm, const Rand& rand, const Autn& autn_star,
                             const Sqn& sqn_ms, const GbaURules& rules, std::uint64_t limit) {
    return check_autn_gba_u(algorithm, rand, autn_star,
                            SqnArray(sqn_ms, {.ind_bits = 0, .limit = limit}), rules);
}

Auts make_auts(const Algorithm& algorithm, const Rand& rand, const Sqn& sqn_ms) {
    Auts auts{};
    std::ranges::copy(xor_of(sqn_ms, algorithm.f5_star(rand)), auts.begin());
    std::ranges::copy(algorithm.f1_star(rand, sqn_ms, Amf{}), auts.begin() + 6);
    return auts;
}

Secret<8> kc_from(const Secret<16>& ck, const Secret<16>& ik) {
    Secret<8> kc;
    const auto out = kc.reveal_writable();
    const auto c = ck.reveal();
    const auto i = ik.reveal();
    for (std::size_t n = 0; n < out.size(); ++n) {
        out[n] = c[n] ^ c[n + 8] ^ i[n] ^ i[n + 8];
    }
    return kc;
}

Secret<4> sres_from(const SecretBytes& res) {
    Secret<4> sres;
    const auto out = sres.reveal_writable();
    const auto octets = res.reveal();
    for (std::size_t n = 0; n < octets.size(); ++n) {
        out[n % out.size()] ^= octets[n];
    }
    return sres;
}

GsmTriplet gsm_triplet(const Algorithm& algorithm, const Rand& rand) {
    const auto outputs = algorithm.f2345(rand);
    return {.sres = sres_from(outputs.res), .kc = kc_from(outputs.ck, outputs.ik)};
}

Sqn sqn_from_number(std::uint64_t number) {
    Sqn sqn{};
    number &= kSqnMask;
    for (auto octet = sqn.rbegin(); octet != sqn.rend(); ++octet) {
        *octet = static_cast<std::uint8_t>(number & 0xFF);
        number >>= 8;
    }
    return sqn;
}

std::uint64_t sqn_to_number(const Sqn& sqn) {
    std::uint64_t number = 0;
    for (const std::uint8_t octet : sqn) {
        number = number << 8 | octet;
    }
    return number;
}

} // namespace mtkey::aka
