// SPDX-License-Identifier: Apache-2.0
#include "local/codec.hpp"

#include "local/cbor.hpp"
#include "local/fields.hpp"

namespace mtkey::local {

namespace {

/// Reads a payload that is one map: `read` takes the pairs, then nothing may be left.
template <typename T, typename Read>
Result<T> decode_map(ByteView payload, Read read) {
    CborReader reader(payload);
    CborMap map = MTKEY_TRY(CborMap::open(reader));
    T message{};
    MTKEY_CHECK(read(reader, map, message));
    MTKEY_CHECK(map.close());
    MTKEY_CHECK(reader.end());
    return message;
}

} // namespace

Result<Hello> decode_hello(ByteView payload) {
    CborReader reader(payload);
    CborMap map = MTKEY_TRY(CborMap::open(reader));
    Hello hello;
    MTKEY_CHECK(map.require(kRole));
    hello.role = MTKEY_TRY(read_enum<Role>(reader, Role::Mt));
    MTKEY_CHECK(map.require(kVersions));
    for (std::size_t left = MTKEY_TRY(read_count(reader, 1, kMostVersions)); left > 0; --left) {
        const auto version = MTKEY_TRY(read_number<std::uint8_t>(reader, 0xFF));
        if (version == 0 || (!hello.versions.empty() && version <= hello.versions.back())) {
            return fail(Errc::Malformed, "HELLO: versions are not ascending from 1");
        }
        hello.versions.push_back(version);
    }
    MTKEY_CHECK(map.require(kCapabilities));
    for (std::size_t left = MTKEY_TRY(read_count(reader, 0, kMostCapabilities)); left > 0; --left) {
        hello.capabilities.push_back(MTKEY_TRY(read_name(reader, kLongestCapability)));
    }
    MTKEY_CHECK(map.require(kNonce));
    hello.nonce = MTKEY_TRY(read_array<32>(reader));
    MTKEY_CHECK(map.require(kLargest));
    hello.largest_frame = MTKEY_TRY(read_number<std::uint32_t>(reader, 0xFFFF));
    if (hello.largest_frame < kSmallestFrame) {
        return fail(Errc::Malformed, "HELLO: largest frame is too small");
    }
    if (MTKEY_TRY(map.find(kMtId))) {
        hello.mt_id = MTKEY_TRY(read_name(reader, kLongestMtId));
        if (hello.role != Role::Mt) {
            return fail(Errc::Malformed, "HELLO: a device has no mt_id");
        }
    }
    MTKEY_CHECK(map.skip_others());
    MTKEY_CHECK(reader.end());
    return hello;
}

Result<Resume> decode_resume(ByteView payload) {
    return decode_map<Resume>(
        payload, [](CborReader& reader, CborMap& map, Resume& resume) -> Result<void> {
            MTKEY_CHECK(map.require(kTags));
            for (std::size_t left = MTKEY_TRY(read_count(reader, 1, kMostTags)); left > 0; --left) {
                resume.tags.push_back(MTKEY_TRY(read_array<16>(reader)));
            }
            return {};
        });
}

Result<SealedBody> decode_sealed(ByteView payload) {
    return decode_map<SealedBody>(
        payload, [](CborReader& reader, CborMap& map, SealedBody& sealed) -> Result<void> {
            MTKEY_CHECK(map.require(kBody));
            const ByteView body = MTKEY_TRY(reader.octets());
            sealed.body.assign(body.begin(), body.end());
            if (MTKEY_TRY(map.find(kMac))) {
                sealed.mac = MTKEY_TRY(read_array<32>(reader));
            }
            return {};
        });
}

Result<ResumeAnswer> decode_resume_answer(const SealedBody& sealed) {
    auto decoded = decode_map<ResumeAnswer>(
        sealed.body, [](CborReader& reader, CborMap& map, ResumeAnswer& found) -> Result<void> {
            MTKEY_CHECK(map.require(kResumeStatus));
            found.status =
                MTKEY_TRY(read_enum<ResumeAnswer::Status>(reader, ResumeAnswer::Status::Delete));
            if (has_index(found.status)) {
                MTKEY_CHECK(map.require(kIndex));
                found.index = MTKEY_TRY(read_number<std::uint8_t>(reader, kMostTags - 1));
            }
            if (found.status == ResumeAnswer::Status::Wait) {
                MTKEY_CHECK(map.require(kResumeRetryAfter));
                found.retry_after =
                    MTKEY_TRY(read_number<std::uint32_t>(reader, kLongestRetryAfter));
            }
            return {};
        });
    ResumeAnswer answer = MTKEY_TRY(std::move(decoded));
    answer.mac = sealed.mac;
    if (answer.mac.has_value() != has_index(answer.status)) {
        return fail(Errc::Malformed, "RESUME-ANSWER: a MAC stands with every status but unknown");
    }
    return answer;
}

Result<KeyInfoRequest> decode_key_info_request(ByteView payload) {
    return decode_map<KeyInfoRequest>(
        payload, [](CborReader& reader, CborMap& map, KeyInfoRequest& request) -> Result<void> {
            MTKEY_CHECK(map.require(kL1DeviceId));
            request.device_id = MTKEY_TRY(read_device_id(reader));
            return {};
        });
}

Result<KeyInfo> decode_key_info(ByteView payload) {
    return decode_map<KeyInfo>(
        payload, [](CborReader& reader, CborMap& map, KeyInfo& info) -> Result<void> {
            MTKEY_CHECK(map.require(kL2Nafs));
            for (std::size_t left = MTKEY_TRY(read_count(reader, 1, kMostNafs)); left > 0; --left) {
                CborMap pairs = MTKEY_TRY(CborMap::open(reader));
                NafEntry entry;
                MTKEY_CHECK(pairs.require(kEntryNafId));
                entry.naf_id = MTKEY_TRY(read_naf_id(reader));
                if (MTKEY_TRY(pairs.find(kEntryUri))) {
                    entry.key_center_uri = MTKEY_TRY(read_uri(reader, entry.naf_id.fqdn));
                }
                MTKEY_CHECK(pairs.close());
                info.nafs.push_back(std::move(entry));
            }
            if (MTKEY_TRY(map.find(kL2Btid))) {
                info.b_tid = MTKEY_TRY(read_name(reader, kLongestBtid));
            }
            return {};
        });
}

Result<EstablishmentRequest> decode_establishment_request(ByteView payload) {
    return decode_map<EstablishmentRequest>(
        payload,
        [](CborReader& reader, CborMap& map, EstablishmentRequest& request) -> Result<void> {
            MTKEY_CHECK(map.require(kL3NafId));
            request.naf_id = MTKEY_TRY(read_naf_id(reader));
            MTKEY_CHECK(map.require(kL3DeviceId));
            request.device_id = MTKEY_TRY(read_device_id(reader));
            MTKEY_CHECK(map.require(kReason));
            request.reason = MTKEY_TRY(read_enum<Reason>(reader, Reason::BtidUnknownToNetwork));
            if (MTKEY_TRY(map.find(kL3Btid))) {
                request.b_tid = MTKEY_TRY(read_name(reader, kLongestBtid));
            }
            return {};
        });
}

Result<EstablishmentAnswer> decode_establishment_answer(ByteView payload) {
    return decode_map<EstablishmentAnswer>(
        payload, [](CborReader& reader, CborMap& map, EstablishmentAnswer& answer) -> Result<void> {
            MTKEY_CHECK(map.require(kL4EstId));
            answer.est_id = MTKEY_TRY(read_array<16>(reader));
            MTKEY_CHECK(map.require(kL4Btid));
            answer.b_tid = MTKEY_TRY(read_name(reader, kLongestBtid));
            MTKEY_CHECK(map.require(kL4NafId));
            answer.naf_id = MTKEY_TRY(read_naf_id(reader));
            MTKEY_CHECK(map.require(kL4Profile));
            answer.profile = MTKEY_TRY(read_name(reader, kLongestProfile));
            MTKEY_CHECK(map.require(kMode));
            answer.mode = MTKEY_TRY(read_name(reader, kLongestProfile));
            if (answer.mode != "gba-u" && answer.mode != "gba-me" && answer.mode != "gba-2g") {
                return fail(Errc::Malformed, "L4: unknown mode");
            }
            MTKEY_CHECK(map.require(kKsExpires));
            answer.ks_expires = MTKEY_TRY(read_time(reader));
            MTKEY_CHECK(map.require(kSecondsLeft));
            answer.seconds_left = MTKEY_TRY(read_number<std::uint32_t>(reader, 0xFFFFFFFF));
            return {};
        });
}

Result<Confirm> decode_confirm_body(ByteView body) {
    return decode_map<Confirm>(
        body, [](CborReader& reader, CborMap& map, Confirm& confirm) -> Result<void> {
            MTKEY_CHECK(map.require(kC1EstId));
            confirm.est_id = MTKEY_TRY(read_array<16>(reader));
            MTKEY_CHECK(map.require(kC1Btid));
            confirm.b_tid = MTKEY_TRY(read_name(reader, kLongestBtid));
            MTKEY_CHECK(map.require(kC1NafId));
            confirm.naf_id = MTKEY_TRY(read_naf_id(reader));
            MTKEY_CHECK(map.require(kC1Profile));
            confirm.profile = MTKEY_TRY(read_name(reader, kLongestProfile));
            MTKEY_CHECK(map.require(kC1Expires));
            confirm.expires = MTKEY_TRY(read_time(reader));
            return {};
        });
}

Result<ConfirmAck> decode_confirm_ack_body(ByteView body) {
    return decode_map<ConfirmAck>(
        body, [](CborReader& reader, CborMap& map, ConfirmAck& ack) -> Result<void> {
            MTKEY_CHECK(map.require(kAckStatus));
            ack.status =
                MTKEY_TRY(read_enum<ConfirmAck::Status>(reader, ConfirmAck::Status::Refused));
            MTKEY_CHECK(map.require(kAckExpires));
            ack.expires = MTKEY_TRY(read_time(reader));
            return {};
        });
}

Result<ErrorMessage> decode_error(ByteView payload) {
    return decode_map<ErrorMessage>(
        payload, [](CborReader& reader, CborMap& map, ErrorMessage& error) -> Result<void> {
            MTKEY_CHECK(map.require(kCode));
            error.code = MTKEY_TRY(read_enum<ErrorCode>(reader, ErrorCode::Internal));
            if (MTKEY_TRY(map.find(kErrorRetryAfter))) {
                error.retry_after =
                    MTKEY_TRY(read_number<std::uint32_t>(reader, kLongestRetryAfter));
                if (error.retry_after == 0) {
                    return fail(Errc::Malformed, "ERROR: retry-after 0 is said by leaving it out");
                }
            }
            if (MTKEY_TRY(map.find(kText))) {
                error.text = sanitised(MTKEY_TRY(reader.text()));
                if (error.text.empty()) {
                    return fail(Errc::Malformed, "ERROR: an empty text is said by leaving it out");
                }
            }
            if (MTKEY_TRY(map.find(kErrorBtid))) {
                error.b_tid = MTKEY_TRY(read_name(reader, kLongestBtid));
                if (error.code != ErrorCode::BtidChanged) {
                    return fail(Errc::Malformed, "ERROR: only btid-changed carries a B-TID");
                }
            }
            return {};
        });
}

Result<void> decode_empty(ByteView payload) {
    CborReader reader(payload);
    CborMap map = MTKEY_TRY(CborMap::open(reader));
    MTKEY_CHECK(map.close());
    return reader.end();
}

} // namespace mtkey::local
