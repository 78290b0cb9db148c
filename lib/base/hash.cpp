// SPDX-License-Identifier: Apache-2.0
#include "base/hash.hpp"

#include "base/openssl.hpp"
#include "base/random.hpp"

#include <memory>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

namespace mtkey {
namespace {

struct Free {
    void operator()(EVP_MD* p) const { EVP_MD_free(p); }
    void operator()(EVP_CIPHER* p) const { EVP_CIPHER_free(p); }
    void operator()(EVP_MD_CTX* p) const { EVP_MD_CTX_free(p); }
    void operator()(EVP_MAC* p) const { EVP_MAC_free(p); }
    void operator()(EVP_MAC_CTX* p) const { EVP_MAC_CTX_free(p); }
};

template <std::size_t N>
std::array<std::uint8_t, N> hash(const EVP_MD* type, std::initializer_list<ByteView> parts) {
    std::array<std::uint8_t, N> out{};
    const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
    must(context != nullptr && EVP_DigestInit_ex(context.get(), type, nullptr) == 1);
    for (const auto part : parts) {
        must(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
    }
    must(EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1);
    return out;
}

EVP_MAC* hmac_algorithm() {
    static const auto mac = [] {
        std::unique_ptr<EVP_MAC, Free> fetched(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
        must(fetched != nullptr);
        return fetched;
    }();
    return mac.get();
}

template <typename Algorithm>
Result<void> check(Algorithm* fetched, const char* name) {
    const std::unique_ptr<Algorithm, Free> owned(fetched);
    if (!owned) {
        return fail(Errc::Internal,
                    std::string("OpenSSL has no ") + name + "; its default provider must be there");
    }
    return {};
}

} // namespace

Result<void> check_algorithms() {
    for (const char* name : {"MD5", "SHA1", "SHA256"}) {
        MTKEY_CHECK(check(EVP_MD_fetch(nullptr, name, nullptr), name));
    }
    for (const char* name : {"AES-128-ECB", "AES-256-GCM"}) {
        MTKEY_CHECK(check(EVP_CIPHER_fetch(nullptr, name, nullptr), name));
    }
    return check(EVP_MAC_fetch(nullptr, "HMAC", nullptr), "HMAC");
}

std::array<std::uint8_t, 16> md5(std::initializer_list<ByteView> parts) {
    return hash<16>(EVP_md5(), parts);
}

std::array<std::uint8_t, 20> sha1(std::initializer_list<ByteView> parts) {
    return hash<20>(EVP_sha1(), parts);
}

std::array<std::uint8_t, 32> sha256(std::initializer_list<ByteView> parts) {
    return hash<32>(EVP_sha256(), parts);
}

Secret<32> hmac_sha256(ByteView key, std::span<const ByteView> parts) {
    static const std::uint8_t none = 0;
    // OpenSSL takes a null key for "as before": an empty key needs an address.
    const std::uint8_t* key_octets = key.empty() ? &none : key.data();
    // OSSL_PARAM wants a non-const pointer and does not write through it.
    std::array<char, 7> digest{"SHA256"};
    const std::array<OSSL_PARAM, 2> params{
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end()};
    const std::unique_ptr<EVP_MAC_CTX, Free> context(EVP_MAC_CTX_new(hmac_algorithm()));
    must(context != nullptr &&
         EVP_MAC_init(context.get(), key_octets, key.size(), params.data()) == 1);
    for (const auto part : parts) {
        must(EVP_MAC_update(context.get(), part.data(), part.size()) == 1);
    }
    Secret<32> out;
    std::size_t written = 0;
    must(EVP_MAC_final(context.get(), out.reveal_writable().data(), &written, 32) == 1 &&
         written == 32);
    return out;
}

Secret<32> hmac_sha256(ByteView key, std::initializer_list<ByteView> parts) {
    return hmac_sha256(key, std::span<const ByteView>(parts.begin(), parts.size()));
}

Result<void> SystemRandom::fill(std::span<std::uint8_t> out) {
    if (out.size() > 0x7FFFFFFF ||
        (!out.empty() && RAND_priv_bytes(out.data(), static_cast<int>(out.size())) != 1)) {
        return fail(Errc::RandomFailed);
    }
    return {};
}

} // namespace mtkey
