// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mtkey::aka {

/// Parameters of one Digest header (RFC 7616 section 3), values unquoted and unescaped. A repeated
/// name is an Error. At most 32 parameters, 4096 octets.
class DigestParameters {
public:
    using Values = std::vector<std::pair<std::string, std::string>>;

    /// `header`: the value of WWW-Authenticate or Authorization: scheme "Digest" required, one
    /// challenge, names in any case.
    static Result<DigestParameters> parse_challenge(std::string_view header);
    /// `header`: the value of Authentication-Info: no scheme, names as they stand there.
    static Result<DigestParameters> parse_info(std::string_view header);
    [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const;
    [[nodiscard]] const Values& all() const { return values_; } ///< in their order

private:
    Values values_;
};

/// The inputs of the Digest arithmetic with qop=auth-int, algorithm AKAv1-MD5 (RFC 2617, RFC 3310
/// section 3.2).
struct DigestInputs {
    std::string username;
    std::string realm;
    std::string nonce; ///< the string as it stands in the challenge
    std::string uri = "/";
    std::string method = "GET";
    std::string nc = "00000001";
    std::string cnonce;
    std::string qop = "auth-int"; ///< "auth" and "" (RFC 2069 form) exist for vectors
};

/// request-digest: 32 hex digits. `password` = RES octets (binary), or empty together with auts
/// (RFC 3310 section 3.4).
std::string digest_response(const DigestInputs& inputs, ByteView password, ByteView entity_body);
/// rspauth of Authentication-Info: A2 without the method, over the body of the answer.
std::string digest_rspauth(const DigestInputs& inputs, ByteView password, ByteView entity_body);
/// Constant time, both 32 lower-case hex digits (upper case is accepted as received).
bool digest_equal(std::string_view ours, std::string_view received);

/// Quoted-string of RFC 7616; refuses control characters.
Result<std::string> quote(std::string_view value);

/// nonce = base64(RAND || AUTN || server data) (RFC 3310 section 3.2).
struct AkaNonce {
    std::array<std::uint8_t, 16> rand;
    std::array<std::uint8_t, 16> autn;
    Bytes server_data;
};
Result<AkaNonce> parse_nonce(std::string_view nonce);
std::string make_nonce(const std::array<std::uint8_t, 16>& rand,
                       const std::array<std::uint8_t, 16>& autn, ByteView server_data = {});

} // namespace mtkey::aka
