// SPDX-License-Identifier: Apache-2.0
#include "self_test/self_test.hpp"

#include "base/encoding.hpp"
#include "kdf/naf_keys.hpp"
#include "store/sealing.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <string_view>

namespace mtkey {
namespace {

constexpr std::string_view kStoreId = "self-test";

// tests/vectors/gba_kat.json, set 1: two independent implementations.
constexpr std::string_view kRand = "ad45a838b350782385c802eab7372367";
constexpr std::string_view kCkIk =
    "13d64d1bfb3aaffefe94813adc86253de8b0b8628b896c3b664623c08b5125a9";
constexpr std::string_view kImpi = "001019895201364@ims.mnc001.mcc001.3gppnetwork.org";
constexpr std::string_view kKsNaf =
    "fdfbab0ecdde2b3531c55245d03248c30f0cbd6405ec27a919ac575b5ebf7590";

// Made from docs/store.md with Python's cryptography: KEK 00 .. 1F, salt 32 x A5, this plaintext.
constexpr std::string_view kPlain = "mtkey self test!";
constexpr std::string_view kSealed =
    "4d544b45595354310000006000000000583c28e7aa9b0a7f5ded91f40e6cb195"
    "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"
    "cb39f55eb2bd68a805244c63a6bcacf089951e12dad513b7b2410a40440869d8"
    "370b3f406d1c4fd56da140d38c28f2bdd761e558b27bc73db9af16ae54f869ae";

Bytes octets_of(std::string_view hex) {
    return from_hex(hex).value();
}

std::unexpected<Error> wrong(const char* what) {
    return fail(Errc::CryptoFailed, "self-test: " + std::string(what) +
                                        " does not give what it must; is this OpenSSL sound?");
}

Result<Secret<32>> real_ks_naf(ByteView ck_ik) {
    kdf::Rand rand{};
    std::ranges::copy(octets_of(kRand), rand.begin());
    const auto naf_id = MTKEY_TRY(kdf::make_naf_id("naf.example.com", octets_of("0100000000")));
    return kdf::ks_ext_naf(MTKEY_TRY(Secret<32>::from(ck_ik, "Ks")), rand, kImpi, naf_id);
}

Result<SecretBytes> real_unseal(ByteView file) {
    store::Kek kek;
    std::iota(kek.reveal_writable().begin(), kek.reveal_writable().end(), std::uint8_t{0});
    const std::array<const store::Kek*, 1> keks{&kek};
    auto opened = MTKEY_TRY(store::Unsealer::begin(file, keks, kStoreId));
    SecretBytes plain(opened.left());
    MTKEY_CHECK(opened.read(plain.reveal_writable()));
    return plain;
}

bool has_run_of(std::uint8_t octet, const volatile std::uint8_t* at, std::size_t size) {
    std::size_t run = 0;
    for (std::size_t i = 0; i < size && run < 4; ++i) {
        run = at[i] == octet ? run + 1 : 0;
    }
    return run == 4;
}

Result<void> test_wiping(const Primitives& primitives) {
    constexpr std::uint8_t kMark = 0xC3;
    std::array<std::uint8_t, 64> plain{};
    plain.fill(kMark);
    primitives.wipe(plain);
    if (has_run_of(kMark, plain.data(), plain.size())) {
        return wrong("wiping");
    }
    SecretBytes secret(64);
    std::ranges::fill(secret.reveal_writable(), kMark);
    // The arena stays mapped; what the allocator writes into a free block is not this.
    const volatile std::uint8_t* const at = secret.reveal().data();
    primitives.release(secret);
    return has_run_of(kMark, at, 64) ? wrong("releasing a secret") : Result<void>();
}

} // namespace

Primitives Primitives::real() {
    return {.hmac_sha256 = [](ByteView key,
                              ByteView message) { return mtkey::hmac_sha256(key, {message}); },
            .ks_naf = real_ks_naf,
            .unseal = real_unseal,
            .wipe = [](std::span<std::uint8_t> octets) { mtkey::wipe(octets); },
            .release = [](SecretBytes& secret) { secret.clear(); }};
}

Result<void> self_test(const Primitives& primitives) {
    // RFC 4231, test case 2
    const auto mac =
        primitives.hmac_sha256(as_octets("Jefe"), as_octets("what do ya want for nothing?"));
    if (to_hex(mac.reveal()) !=
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843") {
        return wrong("HMAC-SHA-256");
    }
    const auto ks_naf = primitives.ks_naf(octets_of(kCkIk));
    if (!ks_naf || to_hex(ks_naf->reveal()) != kKsNaf) {
        return wrong("the key derivation function");
    }
    auto sealed = octets_of(kSealed);
    const auto plain = primitives.unseal(sealed);
    if (!plain || as_text(plain->reveal()) != kPlain) {
        return wrong("HKDF or AES-256-GCM");
    }
    sealed[sealed.size() - 20] ^= 1; // ciphertext
    if (primitives.unseal(sealed)) {
        return wrong("the authentication of AES-256-GCM");
    }
    return test_wiping(primitives);
}

} // namespace mtkey
