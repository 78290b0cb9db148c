// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "local/cbor.hpp"
#include "local/codec.hpp"
#include "local/framing.hpp"

#include <algorithm>

namespace mtkey::local {

// What the messages are made of: the keys of their maps and the kinds of field, each with its
// limits. For encode.cpp and decode.cpp only.

/// docs/local-interface.cddl has the same.
enum HelloKey : std::uint64_t { kRole = 1, kVersions, kCapabilities, kNonce, kLargest, kMtId };
enum ResumeKey : std::uint64_t { kTags = 1 };
enum SealedKey : std::uint64_t { kBody = 1, kMac };
enum ResumeAnswerKey : std::uint64_t { kResumeStatus = 1, kIndex, kResumeRetryAfter };
enum KeyInfoRequestKey : std::uint64_t {
    kL1DeviceId = 1
}; // 2 is reserved: authentication of the device
enum KeyInfoKey : std::uint64_t { kL2Nafs = 1, kL2Btid };
enum NafEntryKey : std::uint64_t { kEntryNafId = 1, kEntryUri };
enum EstablishmentRequestKey : std::uint64_t { kL3NafId = 1, kL3DeviceId, kReason, kL3Btid };
enum EstablishmentAnswerKey : std::uint64_t {
    kL4EstId = 1,
    kL4Btid,
    kL4NafId,
    kL4Profile,
    kMode,
    kKsExpires,
    kSecondsLeft
};
enum ConfirmKey : std::uint64_t { kC1EstId = 1, kC1Btid, kC1NafId, kC1Profile, kC1Expires };
enum ConfirmAckKey : std::uint64_t { kAckStatus = 1, kAckExpires };
enum ErrorKey : std::uint64_t { kCode = 1, kErrorRetryAfter, kText, kErrorBtid };

/// Every answer to RESUME but Unknown names the tag that it is about.
inline bool has_index(ResumeAnswer::Status status) {
    return status != ResumeAnswer::Status::Unknown;
}

/// What a person may see of a text that anybody may have written.
std::string sanitised(std::string_view text);

template <typename T>
Result<T> read_number(CborReader& reader, std::uint64_t largest) {
    const std::uint64_t value = MTKEY_TRY(reader.number());
    if (value > largest) {
        return fail(Errc::Malformed, "number is out of range");
    }
    return static_cast<T>(value);
}

/// An enumeration without gaps from 0 to `last`.
template <typename T>
Result<T> read_enum(CborReader& reader, T last) {
    return read_number<T>(reader, static_cast<std::uint64_t>(last));
}

template <std::size_t N>
Result<std::array<std::uint8_t, N>> read_array(CborReader& reader) {
    const ByteView value = MTKEY_TRY(reader.octets());
    if (value.size() != N) {
        return fail(Errc::Malformed, "octet string has a wrong length");
    }
    std::array<std::uint8_t, N> out{};
    std::ranges::copy(value, out.begin());
    return out;
}

/// Number of items of an array, `fewest` to `most`.
Result<std::size_t> read_count(CborReader& reader, std::size_t fewest, std::size_t most);
/// 1 to `longest` printable ASCII octets without spaces (21 to 7E): identifiers, compared octet by
/// octet.
Result<std::string> read_name(CborReader& reader, std::size_t longest);
Result<std::string> read_device_id(CborReader& reader);
/// Array of FQDN (canonical) and the five octets of the Ua security protocol identifier.
Result<kdf::NafId> read_naf_id(CborReader& reader);
/// As parse_key_center_uri() takes it.
Result<std::string> read_uri(CborReader& reader, std::string_view fqdn);
/// Seconds since 1970-01-01T00:00:00Z, up to the end of the year 9999.
Result<UtcTime> read_time(CborReader& reader);

void write_naf_id(CborWriter& out, const kdf::NafId& naf_id);
/// Times outside of what read_time() takes are moved to its ends.
void write_time(CborWriter& out, UtcTime time);

} // namespace mtkey::local
