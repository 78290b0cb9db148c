// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "local/messages.hpp"

namespace mtkey::local {

// DRAFT-GAP(local-messages): the draft has the content in prose.
// The payload of each message: one CBOR map (docs/local-interface.md section 4,
// docs/local-interface.cddl). Encoders are total: they write what they are given. Decoders take the
// only permitted spelling of a permitted content, else Errc::Malformed; so encode(decode(x)) == x,
// but for unknown keys of HELLO and the text of ERROR.

inline constexpr std::size_t kMostVersions = 8;
inline constexpr std::size_t kMostCapabilities = 16;
inline constexpr std::size_t kMostNafs = 8;
inline constexpr std::size_t kLongestCapability = 32;
inline constexpr std::size_t kLongestMtId = 64;
inline constexpr std::size_t kLongestBtid = 255;
inline constexpr std::size_t kLongestUri = 255;
inline constexpr std::size_t kLongestProfile = 64;
inline constexpr std::size_t kLongestText = 200;
inline constexpr std::uint32_t kLongestRetryAfter = 86'400;

/// A message whose body is covered by a MAC: map {1: octet string with the CBOR of the body, 2:
/// MAC}, so that nobody has to agree on how a body is encoded again.
struct SealedBody {
    Bytes body;
    std::optional<Mac> mac; ///< missing only in a RESUME-ANSWER that says Unknown
};

Bytes encode(const Hello& hello);
Bytes encode(const Resume& resume);
Bytes encode(const KeyInfoRequest& request);
Bytes encode(const KeyInfo& info);
Bytes encode(const EstablishmentRequest& request);
Bytes encode(const EstablishmentAnswer& answer);
Bytes encode(const ErrorMessage& error);
/// RESUME-ANSWER, CONFIRM and CONFIRM-ACK.
Bytes encode(const SealedBody& sealed);
Bytes encode_body(const ResumeAnswer& answer); ///< without its MAC
Bytes encode_body(const Confirm& confirm);
Bytes encode_body(const ConfirmAck& ack);
/// PING, PONG and BYE: the empty map.
Bytes encode_empty();

Result<Hello> decode_hello(ByteView payload);
Result<Resume> decode_resume(ByteView payload);
Result<KeyInfoRequest> decode_key_info_request(ByteView payload);
Result<KeyInfo> decode_key_info(ByteView payload);
Result<EstablishmentRequest> decode_establishment_request(ByteView payload);
Result<EstablishmentAnswer> decode_establishment_answer(ByteView payload);
/// `text` comes back printable and at most kLongestText long, whatever was sent.
Result<ErrorMessage> decode_error(ByteView payload);
Result<SealedBody> decode_sealed(ByteView payload);
/// Of a whole RESUME-ANSWER: its MAC must be there exactly when the status is not Unknown.
Result<ResumeAnswer> decode_resume_answer(const SealedBody& sealed);
Result<Confirm> decode_confirm_body(ByteView body);
Result<ConfirmAck> decode_confirm_ack_body(ByteView body);
Result<void> decode_empty(ByteView payload);

} // namespace mtkey::local
