// SPDX-License-Identifier: Apache-2.0
#include "store/sealing.hpp"

#include "base/hash.hpp"

#include <algorithm>
#include <cstring>
#include <openssl/evp.h>

namespace mtkey::store {
namespace {

// Header: magic 8, header length 4, flags 4, KEK id 16, salt 32, commitment 32.
constexpr std::string_view kMagic = "MTKEYST1";
constexpr std::array<std::uint8_t, 8> kLengthAndFlags{0, 0, 0, 96, 0, 0, 0, 0};
constexpr std::size_t kKekIdAt = 16;
constexpr std::size_t kSaltAt = 32;
constexpr std::size_t kCommitmentAt = 64;
constexpr std::size_t kHeader = 96;
constexpr std::size_t kTag = 16;
constexpr std::size_t kBuffer = 4096; ///< of the secure heap, while a file is sealed or opened

/// HKDF-SHA256 (RFC 5869) in as many blocks as `N` octets need.
template <std::size_t N>
Secret<N> hkdf(ByteView key, ByteView salt, std::initializer_list<ByteView> info) {
    const Secret<32> pseudo_random_key = hmac_sha256(salt, {key});
    Secret<N> out;
    Secret<32> block;
    for (std::size_t done = 0, number = 1; done < N; done += 32, ++number) {
        const std::array<std::uint8_t, 1> counter{static_cast<std::uint8_t>(number)};
        std::vector<ByteView> parts;
        if (number > 1) {
            parts.emplace_back(block.reveal());
        }
        parts.insert(parts.end(), info);
        parts.emplace_back(counter);
        block = hmac_sha256(pseudo_random_key.reveal(), parts);
        std::memcpy(out.reveal_writable().data() + done, block.reveal().data(),
                    std::min<std::size_t>(32, N - done));
    }
    return out;
}

/// Everything that one file is sealed with: K1 || N1 || C.
class FileKeys {
public:
    FileKeys(const Kek& kek, ByteView salt, std::string_view store_id, const KekId& id)
        : keys_(hkdf<76>(kek.reveal(), salt,
                         {as_octets("mtkeyd store v1"),
                          std::array{static_cast<std::uint8_t>(store_id.size())},
                          as_octets(store_id), id})) {}
    [[nodiscard]] const std::uint8_t* key() const { return keys_.reveal().data(); }
    [[nodiscard]] const std::uint8_t* nonce() const { return key() + 32; }
    [[nodiscard]] ByteView commitment() const { return keys_.reveal().subspan(44); }

private:
    Secret<76> keys_;
};

/// A context for either direction that has taken the header as additional data.
CipherContext cipher(const FileKeys& keys, ByteView header, bool encrypt) {
    CipherContext context(EVP_CIPHER_CTX_new());
    int length = 0;
    if (context == nullptr ||
        EVP_CipherInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, keys.key(), keys.nonce(),
                          encrypt ? 1 : 0) != 1 ||
        EVP_CipherUpdate(context.get(), nullptr, &length, header.data(),
                         static_cast<int>(header.size())) != 1) {
        return nullptr;
    }
    return context;
}

bool transform(evp_cipher_ctx_st* context, ByteView in, std::uint8_t* out) {
    int length = 0;
    return in.empty() ||
           (EVP_CipherUpdate(context, out, &length, in.data(), static_cast<int>(in.size())) == 1 &&
            static_cast<std::size_t>(length) == in.size());
}

std::unexpected<Error> cipher_failed() {
    return fail(Errc::CryptoFailed, "AES-256-GCM of the key store");
}

std::unexpected<Error> altered() {
    return fail(Errc::Malformed, "the sealed store was altered");
}

/// The whole ciphertext through a small buffer, for its tag alone.
Result<void> authenticate(const FileKeys& keys, ByteView header, ByteView ciphertext,
                          ByteView tag) {
    const auto context = cipher(keys, header, false);
    SecretBytes seen(kBuffer);
    std::array<std::uint8_t, kTag> expected{};
    std::ranges::copy(tag, expected.begin());
    if (context == nullptr ||
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTag, expected.data()) != 1) {
        return cipher_failed();
    }
    while (!ciphertext.empty()) {
        const auto part = ciphertext.first(std::min(ciphertext.size(), seen.size()));
        if (!transform(context.get(), part, seen.reveal_writable().data())) {
            return cipher_failed();
        }
        ciphertext = ciphertext.subspan(part.size());
    }
    int length = 0;
    if (EVP_CipherFinal_ex(context.get(), seen.reveal_writable().data(), &length) != 1) {
        return altered();
    }
    return {};
}

} // namespace

void FreeCipher::operator()(evp_cipher_ctx_st* context) const {
    EVP_CIPHER_CTX_free(context);
}

KekId kek_id(const Kek& kek) {
    const auto octets = hkdf<16>(kek.reveal(), {}, {as_octets("mtkeyd store kek-id")});
    KekId id{};
    std::ranges::copy(octets.reveal(), id.begin());
    return id;
}

Secret<32> generation_key(const Kek& kek) {
    return hkdf<32>(kek.reveal(), {}, {as_octets("mtkeyd store generation")});
}

Sealer::Sealer(CipherContext context, Bytes file)
    : context_(std::move(context)), file_(std::move(file)), buffer_(kBuffer) {}

Result<Sealer> Sealer::begin(const Kek& kek, std::string_view store_id, RandomSource& random,
                             std::size_t expected) {
    std::array<std::uint8_t, 32> salt{};
    MTKEY_CHECK(random.fill(salt));
    const KekId id = kek_id(kek);
    const FileKeys keys(kek, salt, store_id, id);
    Bytes header;
    header.reserve(kHeader + expected + kTag);
    append(header, as_octets(kMagic));
    append(header, kLengthAndFlags);
    append(header, id);
    append(header, salt);
    append(header, keys.commitment());
    auto context = cipher(keys, header, true);
    if (context == nullptr) {
        return cipher_failed();
    }
    return Sealer(std::move(context), std::move(header));
}

void Sealer::write(ByteView octets) {
    while (!octets.empty()) {
        const auto part = octets.first(std::min(octets.size(), kBuffer - buffered_));
        std::memcpy(buffer_.reveal_writable().data() + buffered_, part.data(), part.size());
        buffered_ += part.size();
        octets = octets.subspan(part.size());
        if (buffered_ == kBuffer) {
            flush();
        }
    }
}

void Sealer::flush() {
    const std::size_t before = file_.size();
    if (before + buffered_ + kTag <= kStoreLimit) {
        file_.resize(before + buffered_);
        failed_ =
            !transform(context_.get(), buffer_.reveal().first(buffered_), file_.data() + before) ||
            failed_;
    } else {
        too_large_ = true;
    }
    buffered_ = 0;
}

Result<Bytes> Sealer::finish() {
    flush();
    if (too_large_) {
        return fail(Errc::LimitExceeded, "the key store is larger than " +
                                             std::to_string(kStoreLimit) +
                                             " octets; forget devices");
    }
    std::array<std::uint8_t, kTag> tag{};
    int length = 0;
    if (failed_ || EVP_CipherFinal_ex(context_.get(), tag.data(), &length) != 1 ||
        EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kTag, tag.data()) != 1) {
        return cipher_failed();
    }
    append(file_, tag);
    return std::move(file_);
}

Result<Unsealer> Unsealer::begin(ByteView file, std::span<const Kek* const> keks,
                                 std::string_view store_id) {
    if (file.size() < kHeader + kTag || file.size() > kStoreLimit ||
        as_text(file.first(kMagic.size())) != kMagic ||
        !std::ranges::equal(file.subspan(kMagic.size(), kLengthAndFlags.size()), kLengthAndFlags)) {
        return fail(Errc::Malformed, "no sealed store of format 1");
    }
    const auto header = file.first(kHeader);
    KekId id{};
    std::ranges::copy(header.subspan(kKekIdAt, id.size()), id.begin());
    const auto kek = std::ranges::find_if(keks, [&](const Kek* one) { return kek_id(*one) == id; });
    if (kek == keks.end()) {
        return fail(Errc::NotFound, "sealed under a key encryption key that is not here");
    }
    const FileKeys keys(**kek, header.subspan(kSaltAt, 32), store_id, id);
    const auto ciphertext = file.subspan(kHeader, file.size() - kHeader - kTag);
    // The commitment first: a tag that is right under two keys can be made (GCM does not commit).
    if (!equal_constant_time(keys.commitment(), header.subspan(kCommitmentAt, 32))) {
        return altered();
    }
    MTKEY_CHECK(authenticate(keys, header, ciphertext, file.last(kTag)));
    auto context = cipher(keys, header, false);
    if (context == nullptr) {
        return cipher_failed();
    }
    return Unsealer(std::move(context), ciphertext, id);
}

Result<void> Unsealer::read(std::span<std::uint8_t> out) {
    if (out.size() > ciphertext_.size()) {
        return fail(Errc::Malformed, "the sealed store ends too early");
    }
    if (!transform(context_.get(), ciphertext_.first(out.size()), out.data())) {
        return cipher_failed();
    }
    ciphertext_ = ciphertext_.subspan(out.size());
    return {};
}

} // namespace mtkey::store
