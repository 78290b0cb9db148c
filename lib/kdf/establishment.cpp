// SPDX-License-Identifier: Apache-2.0
#include "kdf/establishment.hpp"

#include "base/hash.hpp"

#include <algorithm>
#include <cassert>

namespace mtkey::kdf {
namespace {

/// The 2-octet length of LP(x).
class Length {
public:
    explicit Length(std::size_t size)
        : octets_{static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size & 0xFF)} {
        assert(size <= 0xFFFF);
    }
    [[nodiscard]] ByteView view() const { return octets_; }

private:
    std::array<std::uint8_t, 2> octets_;
};

constexpr std::array<std::uint8_t, 1> kZero{0x00};

std::array<std::uint8_t, 32> public_mac(const Secret<32>& key,
                                        std::initializer_list<ByteView> parts) {
    const Secret<32> mac = hmac_sha256(key.reveal(), parts);
    std::array<std::uint8_t, 32> out{};
    std::ranges::copy(mac.reveal(), out.begin());
    return out;
}

} // namespace

TranscriptHash transcript_hash(std::string_view label, std::span<const TranscriptPart> messages) {
    Bytes text;
    std::size_t size = label.size() + 1;
    for (const auto& part : messages) {
        size += 3 + part.message.size();
    }
    text.reserve(size);
    append(text, as_octets(label));
    append(text, kZero);
    for (const auto& part : messages) {
        text.push_back(static_cast<std::uint8_t>(part.direction));
        append_u16(text, part.message.size());
        append(text, part.message);
    }
    return sha256({text});
}

// HKDF (RFC 5869): 32 octets out of SHA-256 are one block, T(1) = HMAC(PRK, info || 01).
Secret<32> expand(ByteView key, std::string_view purpose, ByteView context) {
    static constexpr std::array<std::uint8_t, 1> kBlock{0x01};
    return hmac_sha256(key, {as_octets("mtkey/1 "), as_octets(purpose), kZero, context, kBlock});
}

EstablishmentKeys establishment_keys(const Secret<32>& ks_local_mt, const TranscriptHash& th_est) {
    const Secret<32> k_est = hmac_sha256(th_est, {ks_local_mt.reveal()}); // HKDF-Extract
    const auto key = [&](std::string_view purpose) { return expand(k_est.reveal(), purpose, {}); };
    return {.confirm_device = key("confirm device"),
            .confirm_mt = key("confirm mt"),
            .key_id = key("key id"),
            .channel = key("channel"),
            .application = key("application")};
}

std::array<std::uint8_t, 16> resume_tag(const Secret<32>& key_id, const TranscriptHash& th_conn) {
    const auto mac = public_mac(key_id, {as_octets("mtkey/1 tag"), kZero, th_conn});
    std::array<std::uint8_t, 16> out{};
    std::ranges::copy(std::span(mac).first<16>(), out.begin());
    return out;
}

std::array<std::uint8_t, 32> confirm_mac(const Secret<32>& confirm_device,
                                         const TranscriptHash& th_est,
                                         const TranscriptHash& th_conn, ByteView body) {
    const Length length(body.size());
    return public_mac(confirm_device, {as_octets("C1"), th_est, th_conn, length.view(), body});
}

std::array<std::uint8_t, 32> confirm_ack_mac(const Secret<32>& confirm_mt,
                                             const TranscriptHash& th_est,
                                             const TranscriptHash& th_conn, ByteView mac_of_confirm,
                                             ByteView body) {
    const Length mac_length(mac_of_confirm.size());
    const Length length(body.size());
    return public_mac(confirm_mt, {as_octets("C2"), th_est, th_conn, mac_length.view(),
                                   mac_of_confirm, length.view(), body});
}

std::array<std::uint8_t, 32> resume_answer_mac(const Secret<32>& confirm_mt,
                                               const TranscriptHash& th_est,
                                               const TranscriptHash& th_conn, ByteView body) {
    const Length length(body.size());
    return public_mac(confirm_mt, {as_octets("R1"), th_est, th_conn, length.view(), body});
}

Secret<32> application_key(const Secret<32>& application, std::string_view label,
                           std::string_view consumer) {
    Bytes context;
    append_u16(context, label.size());
    append(context, as_octets(label));
    append_u16(context, consumer.size());
    append(context, as_octets(consumer));
    return expand(application.reveal(), "app", context);
}

} // namespace mtkey::kdf
