// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/http_message.hpp"

#include <string>
#include <string_view>

namespace mtkey::nafkc {

// DRAFT-GAP(key-request-errors): the draft names no error; statuses by what the device can do about
// it.
inline constexpr unsigned kOk = 200;
inline constexpr unsigned kBadRequest = 400;
inline constexpr unsigned kForbidden = 403;
inline constexpr unsigned kNotFound = 404; ///< another path
inline constexpr unsigned kMethodNotAllowed = 405;
inline constexpr unsigned kConflict = 409; ///< NAF_ID: choose another one
inline constexpr unsigned kGone = 410;     ///< B-TID unknown or its key expired: the full procedure
inline constexpr unsigned kUnsupportedMediaType = 415;
inline constexpr unsigned kTooManyRequests = 429;
inline constexpr unsigned kInternalError = 500;
inline constexpr unsigned kBadGateway = 502;

/// A refusal on its way: detail is the HTTP status, context what the device may read.
std::unexpected<Error> refuse(unsigned status, std::string why);
/// The same as a response: plain text, never stored by anybody.
HttpResponse problem(unsigned status, std::string_view why);

/// "application/xml"; of its parameters only a charset that says UTF-8 is understood (RFC 7303
/// section 3.2).
[[nodiscard]] bool is_xml(const HttpRequest& request);
/// The name in Host, without a port; empty when there is none.
[[nodiscard]] std::string_view host_of(const HttpRequest& request);

} // namespace mtkey::nafkc
