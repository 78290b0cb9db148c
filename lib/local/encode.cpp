// SPDX-License-Identifier: Apache-2.0
#include "local/codec.hpp"

#include "local/cbor.hpp"
#include "local/fields.hpp"

#include <algorithm>

namespace mtkey::local {

namespace {

std::uint64_t clamped(std::uint32_t retry_after) {
    return std::min(retry_after, kLongestRetryAfter);
}

} // namespace

Bytes encode(const Hello& hello) {
    CborWriter out;
    out.map(hello.mt_id ? 6 : 5);
    out.number(kRole);
    out.number(static_cast<std::uint64_t>(hello.role));
    out.number(kVersions);
    out.array(hello.versions.size());
    for (const std::uint8_t version : hello.versions) {
        out.number(version);
    }
    out.number(kCapabilities);
    out.array(hello.capabilities.size());
    for (const std::string& capability : hello.capabilities) {
        out.text(capability);
    }
    out.number(kNonce);
    out.octets(hello.nonce);
    out.number(kLargest);
    out.number(hello.largest_frame);
    if (hello.mt_id) {
        out.number(kMtId);
        out.text(*hello.mt_id);
    }
    return out.take();
}

Bytes encode(const Resume& resume) {
    CborWriter out;
    out.map(1);
    out.number(kTags);
    out.array(resume.tags.size());
    for (const Tag& tag : resume.tags) {
        out.octets(tag);
    }
    return out.take();
}

Bytes encode(const SealedBody& sealed) {
    CborWriter out;
    out.map(sealed.mac ? 2 : 1);
    out.number(kBody);
    out.octets(sealed.body);
    if (sealed.mac) {
        out.number(kMac);
        out.octets(*sealed.mac);
    }
    return out.take();
}

Bytes encode_body(const ResumeAnswer& answer) {
    const bool wait = answer.status == ResumeAnswer::Status::Wait;
    CborWriter out;
    out.map(1U + (has_index(answer.status) ? 1 : 0) + (wait ? 1 : 0));
    out.number(kResumeStatus);
    out.number(static_cast<std::uint64_t>(answer.status));
    if (has_index(answer.status)) {
        out.number(kIndex);
        out.number(answer.index);
    }
    if (wait) {
        out.number(kResumeRetryAfter);
        out.number(clamped(answer.retry_after));
    }
    return out.take();
}

Bytes encode(const KeyInfoRequest& request) {
    CborWriter out;
    out.map(1);
    out.number(kL1DeviceId);
    out.text(request.device_id);
    return out.take();
}

Bytes encode(const KeyInfo& info) {
    CborWriter out;
    out.map(info.b_tid ? 2 : 1);
    out.number(kL2Nafs);
    out.array(info.nafs.size());
    for (const NafEntry& naf : info.nafs) {
        out.map(naf.key_center_uri ? 2 : 1);
        out.number(kEntryNafId);
        write_naf_id(out, naf.naf_id);
        if (naf.key_center_uri) {
            out.number(kEntryUri);
            out.text(*naf.key_center_uri);
        }
    }
    if (info.b_tid) {
        out.number(kL2Btid);
        out.text(*info.b_tid);
    }
    return out.take();
}

Bytes encode(const EstablishmentRequest& request) {
    CborWriter out;
    out.map(request.b_tid ? 4 : 3);
    out.number(kL3NafId);
    write_naf_id(out, request.naf_id);
    out.number(kL3DeviceId);
    out.text(request.device_id);
    out.number(kReason);
    out.number(static_cast<std::uint64_t>(request.reason));
    if (request.b_tid) {
        out.number(kL3Btid);
        out.text(*request.b_tid);
    }
    return out.take();
}

Bytes encode(const EstablishmentAnswer& answer) {
    CborWriter out;
    out.map(7);
    out.number(kL4EstId);
    out.octets(answer.est_id);
    out.number(kL4Btid);
    out.text(answer.b_tid);
    out.number(kL4NafId);
    write_naf_id(out, answer.naf_id);
    out.number(kL4Profile);
    out.text(answer.profile);
    out.number(kMode);
    out.text(answer.mode);
    out.number(kKsExpires);
    write_time(out, answer.ks_expires);
    out.number(kSecondsLeft);
    out.number(answer.seconds_left);
    return out.take();
}

Bytes encode_body(const Confirm& confirm) {
    CborWriter out;
    out.map(5);
    out.number(kC1EstId);
    out.octets(confirm.est_id);
    out.number(kC1Btid);
    out.text(confirm.b_tid);
    out.number(kC1NafId);
    write_naf_id(out, confirm.naf_id);
    out.number(kC1Profile);
    out.text(confirm.profile);
    out.number(kC1Expires);
    write_time(out, confirm.expires);
    return out.take();
}

Bytes encode_body(const ConfirmAck& ack) {
    CborWriter out;
    out.map(2);
    out.number(kAckStatus);
    out.number(static_cast<std::uint64_t>(ack.status));
    out.number(kAckExpires);
    write_time(out, ack.expires);
    return out.take();
}

Bytes encode(const ErrorMessage& error) {
    const std::string text = sanitised(error.text);
    const bool with_b_tid = error.b_tid && error.code == ErrorCode::BtidChanged;
    CborWriter out;
    out.map(1U + (error.retry_after > 0 ? 1 : 0) + (text.empty() ? 0 : 1) + (with_b_tid ? 1 : 0));
    out.number(kCode);
    out.number(static_cast<std::uint64_t>(error.code));
    if (error.retry_after > 0) {
        out.number(kErrorRetryAfter);
        out.number(clamped(error.retry_after));
    }
    if (!text.empty()) {
        out.number(kText);
        out.text(text);
    }
    if (with_b_tid) {
        out.number(kErrorBtid);
        out.text(*error.b_tid);
    }
    return out.take();
}

Bytes encode_empty() {
    CborWriter out;
    out.map(0);
    return out.take();
}

} // namespace mtkey::local
