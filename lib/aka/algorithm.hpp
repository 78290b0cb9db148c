// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <array>
#include <memory>
#include <span>

namespace mtkey::aka {

using Rand = std::array<std::uint8_t, 16>;
using Autn = std::array<std::uint8_t, 16>;
using Auts = std::array<std::uint8_t, 14>;
using Sqn = std::array<std::uint8_t, 6>;
using Amf = std::array<std::uint8_t, 2>;
using Mac = std::array<std::uint8_t, 8>;

/// The functions f1 to f5* of one subscriber (TS 33.102 clause 6.3). Owns K and OPc.
class Algorithm {
public:
    virtual ~Algorithm() = default;
    [[nodiscard]] virtual Mac f1(const Rand& rand, const Sqn& sqn, const Amf& amf) const = 0;
    [[nodiscard]] virtual Mac f1_star(const Rand& rand, const Sqn& sqn, const Amf& amf) const = 0;
    struct Outputs {
        SecretBytes res; ///< 4 to 16 octets
        Secret<16> ck;
        Secret<16> ik;
        Secret<6> ak;
    };
    [[nodiscard]] virtual Outputs f2345(const Rand& rand) const = 0;
    [[nodiscard]] virtual Secret<6> f5_star(const Rand& rand) const = 0;
};

/// Milenage, TS 35.206 with its default constants. `opc` is the value after OP has been mixed in.
std::unique_ptr<Algorithm> milenage(Secret<16> k, Secret<16> opc);
/// OPc = OP xor E_K(OP).
Secret<16> opc_from_op(const Secret<16>& k, const Secret<16>& op);
/// The XOR test algorithm of TS 34.108 clause 8.1.2, 16-octet RES.
std::unique_ptr<Algorithm> xor_test(Secret<16> k);

} // namespace mtkey::aka
