// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/random.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <array>
#include <memory>
#include <span>
#include <string_view>

struct evp_cipher_ctx_st;

namespace mtkey::store {

// The container of a sealed file (docs/store.md): whatever is in it is encrypted under a key of
// that file alone, and nothing of it is seen before all of it is authenticated.

using Kek = Secret<32>; ///< the key encryption key
using KekId = std::array<std::uint8_t, 16>;
inline constexpr std::size_t kStoreLimit = 1024 * 1024; ///< octets of a file

/// Names a KEK and tells nothing of it.
[[nodiscard]] KekId kek_id(const Kek& kek);
/// What authenticates the generation file.
[[nodiscard]] Secret<32> generation_key(const Kek& kek);

struct FreeCipher {
    void operator()(evp_cipher_ctx_st* context) const;
};
using CipherContext = std::unique_ptr<evp_cipher_ctx_st, FreeCipher>;

/// Where a plaintext goes, and where it comes from, piece by piece: it never stands in one buffer.
class PlainSink {
public:
    virtual ~PlainSink() = default;
    virtual void write(ByteView octets) = 0;
};
class PlainSource {
public:
    virtual ~PlainSource() = default;
    /// Fills all of `out`; Malformed when there is not that much left.
    [[nodiscard]] virtual Result<void> read(std::span<std::uint8_t> out) = 0;
    [[nodiscard]] virtual std::size_t left() const = 0;
};

/// Makes one sealed file. `store_id` keeps files of different programs apart.
class Sealer final : public PlainSink {
public:
    /// RandomFailed or CryptoFailed: there is nothing to write. `expected`: octets of plaintext.
    [[nodiscard]] static Result<Sealer> begin(const Kek& kek, std::string_view store_id,
                                              RandomSource& random, std::size_t expected = 0);
    void write(ByteView octets) override;
    /// The whole file. LimitExceeded above kStoreLimit; CryptoFailed.
    [[nodiscard]] Result<Bytes> finish();

private:
    Sealer(CipherContext context, Bytes file);
    void flush();
    CipherContext context_;
    Bytes file_;
    SecretBytes buffer_;
    std::size_t buffered_ = 0;
    bool failed_ = false;
    bool too_large_ = false;
};

/// Reads one sealed file, which is borrowed.
class Unsealer final : public PlainSource {
public:
    /// Malformed: no such file, or altered; NotFound: sealed under none of `keks`; CryptoFailed:
    /// the library failed and nothing is known of the file.
    [[nodiscard]] static Result<Unsealer> begin(ByteView file, std::span<const Kek* const> keks,
                                                std::string_view store_id);
    [[nodiscard]] Result<void> read(std::span<std::uint8_t> out) override;
    [[nodiscard]] std::size_t left() const override { return ciphertext_.size(); }
    [[nodiscard]] const KekId& sealed_under() const { return kek_id_; }

private:
    Unsealer(CipherContext context, ByteView ciphertext, const KekId& id)
        : context_(std::move(context)), ciphertext_(ciphertext), kek_id_(id) {}
    CipherContext context_;
    ByteView ciphertext_; ///< what has not been read
    KekId kek_id_;
};

} // namespace mtkey::store
