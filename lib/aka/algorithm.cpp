// SPDX-License-Identifier: Apache-2.0
#include "aka/algorithm.hpp"

#include "base/openssl.hpp"

#include <algorithm>
#include <memory>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <utility>

namespace mtkey::aka {
namespace {

/// Intermediate value on the stack; gone with its scope.
struct Block {
    std::array<std::uint8_t, 16> octets{};
    Block() = default;
    Block(const Block&) = default;
    Block& operator=(const Block&) = default;
    ~Block() { OPENSSL_cleanse(octets.data(), octets.size()); }
};

/// AES-128 of single blocks. OpenSSL holds the key schedule outside our heap and wipes it on
/// release: one object lives for one call, never longer.
class Aes128 {
public:
    explicit Aes128(const Secret<16>& key) : context_(EVP_CIPHER_CTX_new()) {
        must(context_ != nullptr);
        must(EVP_EncryptInit_ex2(context_.get(), EVP_aes_128_ecb(), key.reveal().data(), nullptr,
                                 nullptr) == 1);
        must(EVP_CIPHER_CTX_set_padding(context_.get(), 0) == 1);
    }

    [[nodiscard]] Block encrypt(const Block& in) const {
        Block out;
        int written = 0;
        must(EVP_EncryptUpdate(context_.get(), out.octets.data(), &written, in.octets.data(), 16) ==
                 1 &&
             written == 16);
        return out;
    }

private:
    struct Free {
        void operator()(EVP_CIPHER_CTX* p) const { EVP_CIPHER_CTX_free(p); }
    };
    std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
};

void xor_into(std::span<std::uint8_t> target, ByteView with) {
    for (std::size_t i = 0; i < target.size(); ++i) {
        target[i] ^= with[i];
    }
}

/// SQN || AMF, twice where `out` has the room: IN1 of TS 35.206 clause 4.1, CDOUT of TS 34.108
/// clause 8.1.2.
template <std::size_t N>
void put_sqn_amf(std::array<std::uint8_t, N>& out, const Sqn& sqn, const Amf& amf) {
    for (std::size_t at = 0; at < N; at += 8) {
        std::ranges::copy(sqn, out.data() + at);
        std::ranges::copy(amf, out.data() + at + 6);
    }
}

template <std::size_t N>
Secret<N> part(const Block& block, std::size_t from) {
    return Secret<N>(std::span<const std::uint8_t>(block.octets).subspan(from).template first<N>());
}

/// TS 35.206 clause 4.1. Rotations and constants are the default ones: r1..r5 = 64, 0, 32, 64, 96;
/// c1 = 0 and c2..c5 one bit each in the last octet.
class Milenage final : public Algorithm {
public:
    Milenage(Secret<16> k, Secret<16> opc) : k_(std::move(k)), opc_(std::move(opc)) {}

    [[nodiscard]] Mac f1(const Rand& rand, const Sqn& sqn, const Amf& amf) const override {
        return mac(rand, sqn, amf, 0);
    }
    [[nodiscard]] Mac f1_star(const Rand& rand, const Sqn& sqn, const Amf& amf) const override {
        return mac(rand, sqn, amf, 8);
    }
    [[nodiscard]] Outputs f2345(const Rand& rand) const override {
        const Aes128 aes(k_);
        const Block temp = mixed_rand(aes, rand);
        const Block out2 = out(aes, temp, 0, 0x01);
        return {.res = SecretBytes(ByteView(out2.octets).subspan(8)),
                .ck = part<16>(out(aes, temp, 4, 0x02), 0),
                .ik = part<16>(out(aes, temp, 8, 0x04), 0),
                .ak = part<6>(out2, 0)};
    }
    [[nodiscard]] Secret<6> f5_star(const Rand& rand) const override {
        const Aes128 aes(k_);
        return part<6>(out(aes, mixed_rand(aes, rand), 12, 0x08), 0);
    }

private:
    /// TEMP = E_K(RAND xor OPc)
    [[nodiscard]] Block mixed_rand(const Aes128& aes, const Rand& rand) const {
        Block in;
        in.octets = rand;
        xor_into(in.octets, opc_.reveal());
        return aes.encrypt(in);
    }
    /// OUTi = E_K(rot(TEMP xor OPc, ri) xor ci) xor OPc; the rotation in octets.
    [[nodiscard]] Block out(const Aes128& aes, Block in, int rotation, std::uint8_t c) const {
        xor_into(in.octets, opc_.reveal());
        std::ranges::rotate(in.octets, in.octets.begin() + rotation);
        in.octets[15] ^= c;
        Block result = aes.encrypt(in);
        xor_into(result.octets, opc_.reveal());
        return result;
    }
    /// OUT1 = E_K(TEMP xor rot(IN1 xor OPc, 64)) xor OPc: MAC-A and MAC-S side by side.
    [[nodiscard]] Mac mac(const Rand& rand, const Sqn& sqn, const Amf& amf,
                          std::size_t from) const {
        const Aes128 aes(k_);
        Block in;
        put_sqn_amf(in.octets, sqn, amf);
        xor_into(in.octets, opc_.reveal());
        std::ranges::rotate(in.octets, in.octets.begin() + 8);
        xor_into(in.octets, mixed_rand(aes, rand).octets);
        Block out1 = aes.encrypt(in);
        xor_into(out1.octets, opc_.reveal());
        Mac mac{};
        std::ranges::copy(std::span(out1.octets).subspan(from, mac.size()), mac.begin());
        return mac;
    }

    Secret<16> k_;
    Secret<16> opc_;
};

/// TS 34.108 clause 8.1.2: XDOUT = K xor RAND; everything else is cut or rotated out of it.
class XorTest final : public Algorithm {
public:
    explicit XorTest(Secret<16> k) : k_(std::move(k)) {}

    [[nodiscard]] Mac f1(const Rand& rand, const Sqn& sqn, const Amf& amf) const override {
        Mac mac{};
        put_sqn_amf(mac, sqn, amf);
        xor_into(mac, ByteView(xdout(rand).octets).first(mac.size()));
        return mac;
    }
    [[nodiscard]] Mac f1_star(const Rand& rand, const Sqn& sqn, const Amf& amf) const override {
        return f1(rand, sqn, amf);
    }
    [[nodiscard]] Outputs f2345(const Rand& rand) const override {
        const Block x = xdout(rand);
        Block rotated = x;
        std::ranges::rotate(rotated.octets, rotated.octets.begin() + 1);
        auto ck = part<16>(rotated, 0);
        std::ranges::rotate(rotated.octets, rotated.octets.begin() + 1);
        return {.res = SecretBytes(ByteView(x.octets)),
                .ck = std::move(ck),
                .ik = part<16>(rotated, 0),
                .ak = part<6>(x, 3)};
    }
    [[nodiscard]] Secret<6> f5_star(const Rand& rand) const override {
        return part<6>(xdout(rand), 3);
    }

private:
    [[nodiscard]] Block xdout(const Rand& rand) const {
        Block x;
        x.octets = rand;
        xor_into(x.octets, k_.reveal());
        return x;
    }

    Secret<16> k_;
};

} // namespace

std::unique_ptr<Algorithm> milenage(Secret<16> k, Secret<16> opc) {
    return std::make_unique<Milenage>(std::move(k), std::move(opc));
}

Secret<16> opc_from_op(const Secret<16>& k, const Secret<16>& op) {
    Block in;
    std::ranges::copy(op.reveal(), in.octets.begin());
    Block out = Aes128(k).encrypt(in);
    xor_into(out.octets, op.reveal());
    return part<16>(out, 0);
}

std::unique_ptr<Algorithm> xor_test(Secret<16> k) {
    return std::make_unique<XorTest>(std::move(k));
}

} // namespace mtkey::aka
