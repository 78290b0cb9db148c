// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/encoding.hpp"
#include "base/random.hpp"
#include "local/codec.hpp"

#include <map>
#include <string>

namespace mtkey::local::test {

/// Counts up from its first octet: reproducible and different in every octet.
class CountingRandom final : public RandomSource {
public:
    explicit CountingRandom(std::uint8_t first) : next_(first) {}
    Result<void> fill(std::span<std::uint8_t> out) override {
        for (std::uint8_t& octet : out) {
            octet = next_++;
        }
        return {};
    }

private:
    std::uint8_t next_;
};

class BrokenRandom final : public RandomSource {
public:
    Result<void> fill(std::span<std::uint8_t>) override { return fail(Errc::RandomFailed, "test"); }
};

inline Bytes hex(std::string_view text) {
    return from_hex(text).value();
}

template <std::size_t N>
std::array<std::uint8_t, N> counting(std::uint8_t first) {
    std::array<std::uint8_t, N> out{};
    static_cast<void>(CountingRandom(first).fill(out));
    return out;
}

inline UtcTime seconds(std::int64_t count) {
    return UtcTime(std::chrono::seconds(count));
}

// The values of the worked example, docs/local-interface.md section 10.
inline const std::string kDeviceId = "urn:uuid:6f1b0a52-9c3d-4e58-8f7e-2b1f4a0c9d10";
inline const std::string kBtid = "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org";
inline const std::string kFqdn = "nafkc.mnc001.mcc001.pub.3gppnetwork.org";
inline const std::string kMtId = "mt-5f1c0a7e93b2d846";

inline kdf::NafId naf_id() {
    kdf::NafId naf;
    naf.fqdn = kFqdn;
    return naf;
}

inline KeyInfo key_info(bool with_b_tid) {
    KeyInfo info;
    info.nafs.push_back({naf_id(), "https://" + kFqdn + ":8443/key"});
    info.nafs.push_back({naf_id(), std::nullopt});
    info.nafs.back().naf_id.fqdn = "nafkc2.mnc001.mcc001.pub.3gppnetwork.org";
    if (with_b_tid) {
        info.b_tid = kBtid;
    }
    return info;
}

inline EstablishmentRequest establishment_request(bool with_b_tid) {
    EstablishmentRequest request;
    request.naf_id = naf_id();
    request.device_id = kDeviceId;
    if (with_b_tid) {
        request.b_tid = kBtid;
    }
    return request;
}

inline EstablishmentAnswer establishment_answer() {
    EstablishmentAnswer answer;
    answer.est_id = counting<16>(0xA0);
    answer.b_tid = kBtid;
    answer.naf_id = naf_id();
    answer.profile = "draft-1";
    answer.mode = "gba-u";
    answer.ks_expires = seconds(1'893'499'200);
    answer.seconds_left = 86'400;
    return answer;
}

inline Confirm confirm() {
    Confirm message;
    message.est_id = counting<16>(0xA0);
    message.b_tid = kBtid;
    message.naf_id = naf_id();
    message.profile = "draft-1";
    message.expires = seconds(1'893'495'600);
    return message;
}

inline ConfirmAck confirm_ack() {
    return {ConfirmAck::Status::Stored, seconds(1'893'495'600)};
}

inline Hello hello(Role role) {
    Hello message;
    message.role = role;
    message.versions = {1};
    message.nonce = counting<32>(role == Role::Device ? 0x00 : 0x80);
    message.largest_frame = 4096;
    if (role == Role::Mt) {
        message.mt_id = kMtId;
    }
    return message;
}

inline ResumeAnswer resume_answer(ResumeAnswer::Status status) {
    ResumeAnswer answer;
    answer.status = status;
    if (status != ResumeAnswer::Status::Unknown) {
        answer.index = 1;
        answer.mac = counting<32>(0xE0);
    }
    if (status == ResumeAnswer::Status::Wait) {
        answer.retry_after = 300;
    }
    return answer;
}

inline Bytes sealed(Bytes body, std::optional<Mac> mac = counting<32>(0xE0)) {
    return encode(SealedBody{std::move(body), mac});
}

inline Bytes encode_whole(const ResumeAnswer& answer) {
    return sealed(encode_body(answer), answer.mac);
}

inline ErrorMessage error_message(ErrorCode code) {
    ErrorMessage error;
    error.code = code;
    error.retry_after = 60;
    error.text = "ask again in a minute";
    if (code == ErrorCode::BtidChanged) {
        error.b_tid = kBtid;
    }
    return error;
}

/// Every message in every shape it has, with its name.
struct Sample {
    std::string name;
    MessageType type;
    Bytes octets;
};

inline std::vector<Sample> samples() {
    using Status = ResumeAnswer::Status;
    Hello rich = hello(Role::Mt);
    rich.versions = {1, 2, 200};
    rich.capabilities = {"channel", "relay"};
    rich.largest_frame = 65535;
    return {
        {"hello-device", MessageType::Hello, encode(hello(Role::Device))},
        {"hello-mt", MessageType::Hello, encode(hello(Role::Mt))},
        {"hello-rich", MessageType::Hello, encode(rich)},
        {"resume-1", MessageType::Resume, encode(Resume{{counting<16>(1)}})},
        {"resume-2", MessageType::Resume, encode(Resume{{counting<16>(1), counting<16>(2)}})},
        {"resume-answer-unknown", MessageType::ResumeAnswer,
         encode_whole(resume_answer(Status::Unknown))},
        {"resume-answer-known", MessageType::ResumeAnswer,
         encode_whole(resume_answer(Status::Known))},
        {"resume-answer-wait", MessageType::ResumeAnswer,
         encode_whole(resume_answer(Status::Wait))},
        {"resume-answer-delete", MessageType::ResumeAnswer,
         encode_whole(resume_answer(Status::Delete))},
        {"l1", MessageType::KeyInfoRequest, encode(KeyInfoRequest{kDeviceId})},
        {"l2-full", MessageType::KeyInfo, encode(key_info(false))},
        {"l2-optimised", MessageType::KeyInfo, encode(key_info(true))},
        {"l3-full", MessageType::EstablishmentRequest, encode(establishment_request(false))},
        {"l3-optimised", MessageType::EstablishmentRequest, encode(establishment_request(true))},
        {"l4", MessageType::EstablishmentAnswer, encode(establishment_answer())},
        {"confirm", MessageType::Confirm, sealed(encode_body(confirm()))},
        {"confirm-ack", MessageType::ConfirmAck, sealed(encode_body(confirm_ack()))},
        {"error-pending", MessageType::Error, encode(error_message(ErrorCode::Pending))},
        {"error-btid-changed", MessageType::Error, encode(error_message(ErrorCode::BtidChanged))},
        {"error-bare", MessageType::Error, encode(ErrorMessage{})},
        {"ping", MessageType::Ping, encode_empty()},
    };
}

template <typename T>
Result<Bytes> encoded_again(Result<T> message) {
    return encode(MTKEY_TRY(std::move(message)));
}

/// Decodes a payload completely, as a session would, and encodes it again.
inline Result<Bytes> recode(MessageType type, ByteView payload) {
    switch (type) {
    case MessageType::Hello:
        return encoded_again(decode_hello(payload));
    case MessageType::Resume:
        return encoded_again(decode_resume(payload));
    case MessageType::ResumeAnswer: {
        const SealedBody sealed = MTKEY_TRY(decode_sealed(payload));
        return encode_whole(MTKEY_TRY(decode_resume_answer(sealed)));
    }
    case MessageType::KeyInfoRequest:
        return encoded_again(decode_key_info_request(payload));
    case MessageType::KeyInfo:
        return encoded_again(decode_key_info(payload));
    case MessageType::EstablishmentRequest:
        return encoded_again(decode_establishment_request(payload));
    case MessageType::EstablishmentAnswer:
        return encoded_again(decode_establishment_answer(payload));
    case MessageType::Confirm:
    case MessageType::ConfirmAck: {
        const SealedBody sealed = MTKEY_TRY(decode_sealed(payload));
        if (!sealed.mac) {
            return fail(Errc::Malformed, "MAC is missing");
        }
        const bool ack = type == MessageType::ConfirmAck;
        return encode(SealedBody{ack ? encode_body(MTKEY_TRY(decode_confirm_ack_body(sealed.body)))
                                     : encode_body(MTKEY_TRY(decode_confirm_body(sealed.body))),
                                 sealed.mac});
    }
    case MessageType::Error:
        return encoded_again(decode_error(payload));
    default:
        MTKEY_CHECK(decode_empty(payload));
        return encode_empty();
    }
}

} // namespace mtkey::local::test
