// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/secret.hpp"

#include <array>
#include <initializer_list>
#include <string_view>

namespace mtkey::kdf {

using TranscriptHash = std::array<std::uint8_t, 32>;

enum class Direction : std::uint8_t { DeviceToMt = 0x00, MtToDevice = 0x01 };
struct TranscriptPart {
    Direction direction;
    ByteView message; ///< the exact CBOR octets as they went over the link
};

/// SHA-256(label || 00 || for each message: direction octet || LP(message)); LP(x) = 2-octet length
/// || x. A message above 65535 octets is a broken invariant (frames are smaller).
TranscriptHash transcript_hash(std::string_view label, std::span<const TranscriptPart> messages);
inline constexpr std::string_view kConnectionLabel = "mtkey/1 conn";
inline constexpr std::string_view kEstablishmentLabel = "mtkey/1 est";

/// Everything that follows from one establishment. Ks_local_MT is used for nothing but this.
struct EstablishmentKeys {
    Secret<32> confirm_device;
    Secret<32> confirm_mt;
    Secret<32> key_id;
    Secret<32> channel;
    Secret<32> application;
};

/// K_est = HKDF-Extract(salt = th_est, IKM = Ks_local_MT), then Expand(K_est, purpose, "") for each
/// key.
EstablishmentKeys establishment_keys(const Secret<32>& ks_local_mt, const TranscriptHash& th_est);

/// HKDF-Expand-SHA256(key, info = "mtkey/1 " || purpose || 00 || context, 32).
Secret<32> expand(ByteView key, std::string_view purpose, ByteView context);

/// First 16 octets of HMAC(K_id, "mtkey/1 tag" || 00 || TH_conn): the RESUME tag.
std::array<std::uint8_t, 16> resume_tag(const Secret<32>& key_id, const TranscriptHash& th_conn);

/// HMAC(K_confirm_device, "C1" || TH_est || TH_conn || LP(body)).
std::array<std::uint8_t, 32> confirm_mac(const Secret<32>& confirm_device,
                                         const TranscriptHash& th_est,
                                         const TranscriptHash& th_conn, ByteView body);
/// HMAC(K_confirm_mt, "C2" || TH_est || TH_conn || LP(MAC of CONFIRM) || LP(body)).
std::array<std::uint8_t, 32> confirm_ack_mac(const Secret<32>& confirm_mt,
                                             const TranscriptHash& th_est,
                                             const TranscriptHash& th_conn, ByteView mac_of_confirm,
                                             ByteView body);
/// HMAC(K_confirm_mt, "R1" || TH_est || TH_conn || LP(body)): the answer to RESUME where the MT
/// holds the key. DRAFT-GAP(resume-mac): local_protocol.md asks for a MAC and leaves its form to
/// us.
std::array<std::uint8_t, 32> resume_answer_mac(const Secret<32>& confirm_mt,
                                               const TranscriptHash& th_est,
                                               const TranscriptHash& th_conn, ByteView body);

/// Application key = Expand(K_application, "app", LP(label) || LP(consumer)).
Secret<32> application_key(const Secret<32>& application, std::string_view label,
                           std::string_view consumer);

} // namespace mtkey::kdf
