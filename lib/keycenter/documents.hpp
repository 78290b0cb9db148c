// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace mtkey::keycenter {

// DRAFT-GAP(key-request): the draft gives the payload in prose; path, media type and XML are ours.
inline constexpr std::string_view kPath = "/.well-known/mtkey/key-request";
inline constexpr std::string_view kMediaType = "application/xml";
inline constexpr std::string_view kNamespace = "urn:x-mtkey:key-request:1";
inline constexpr std::size_t kDocumentLimit = 8 * 1024;

/// Names as they stand in the documents; checked for form by the parser, for meaning by the user.
struct NafIdText {
    std::string fqdn;
    std::string ua; ///< ten lower-case hex digits
    friend bool operator==(const NafIdText&, const NafIdText&) = default;
};

/// Draft 5.5.2 step 12. NAF_ID is not in the draft's payload: DRAFT-GAP(request-naf-id).
struct KeyRequest {
    std::string b_tid;
    std::string device_id;
    std::optional<NafIdText> naf_id;
};

/// Draft 5.5.2 step 16, with what the device compares.
struct KeyAnswer {
    std::string b_tid;
    std::string device_id;
    NafIdText naf_id;
    std::string profile; ///< KDF profile
    Secret<32> ks_local_mt;
    UtcTime expires{}; ///< Key Lifetime
    std::string mt_id; ///< stable pseudonym of the MT, pairwise
};

std::string encode(const KeyRequest& request);
/// Holds the key in base64: wipe() the text after use.
std::string encode(const KeyAnswer& answer);

/// Namespace-aware, no DOCTYPE, exactly one of each element, unknown elements ignored, at most
/// kDocumentLimit octets.
Result<KeyRequest> parse_request(std::string_view document);
Result<KeyAnswer> parse_answer(std::string_view document);

} // namespace mtkey::keycenter
