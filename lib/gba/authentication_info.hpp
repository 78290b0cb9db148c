// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/digest.hpp"
#include "base/http_message.hpp"
#include "base/result.hpp"

#include <optional>
#include <string>

namespace mtkey::gba {

/// What a 200 says beside its body, once its rspauth has been verified.
struct AuthenticationInfo {
    /// rspauth does not cover it: no more trusted than a 401.
    std::optional<std::string> next_nonce;
};

/// Authentication-Info (RFC 7616 section 3.5): who made the body of `response`, and with cnonce and
/// nc for which request. Nothing of the response may be used before this has succeeded (threats
/// N3). `inputs`, `opaque`: of the request that it answers. BsfUntrusted unless the field stands
/// exactly once, holds nothing but rspauth, nextnonce and what the request has said (`qop`, `nc`
/// and `cnonce` for certain), under names in lower case and with the request's values, and rspauth,
/// 32 lower-case hex digits, is that of the body. So of every octet of it, nextnonce's value apart,
/// no bit can change. Without `required` the field may be missing, which is all that it may be.
[[nodiscard]] Result<AuthenticationInfo>
verify_authentication_info(const HttpResponse& response, const aka::DigestInputs& inputs,
                           const std::optional<std::string>& opaque, ByteView res, bool required);

} // namespace mtkey::gba
