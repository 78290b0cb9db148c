// SPDX-License-Identifier: Apache-2.0
#include "gba/authentication_info.hpp"

#include <algorithm>
#include <string_view>

namespace mtkey::gba {
namespace {

std::unexpected<Error> untrusted(const char* why) {
    return fail(Errc::BsfUntrusted, std::string("Authentication-Info: ") + why);
}

/// The request's own value of a parameter; nothing for a name that it did not say.
std::optional<std::string_view> said(std::string_view name, const aka::DigestInputs& inputs,
                                     const std::optional<std::string>& opaque) {
    using Pair = std::pair<std::string_view, std::string_view>;
    for (const auto& [known, value] :
         {Pair{"qop", inputs.qop}, Pair{"cnonce", inputs.cnonce}, Pair{"nc", inputs.nc},
          Pair{"nonce", inputs.nonce}, Pair{"realm", inputs.realm},
          Pair{"username", inputs.username}, Pair{"uri", inputs.uri},
          Pair{"algorithm", "AKAv1-MD5"}}) {
        if (name == known) {
            return value;
        }
    }
    return name == "opaque" ? opaque : std::optional<std::string_view>();
}

/// As RFC 7616 section 3.1 writes a digest.
bool is_lower_hex(std::string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

} // namespace

// DRAFT-GAP(authentication-info): RFC 7616 says neither what a client does with parameters that it
// does not know nor with those that differ from the request's; where an answer is to be refused for
// any bit that somebody has changed, nothing may stand there that is not compared with something.
Result<AuthenticationInfo> verify_authentication_info(const HttpResponse& response,
                                                      const aka::DigestInputs& inputs,
                                                      const std::optional<std::string>& opaque,
                                                      ByteView res, bool required) {
    const auto fields = response.headers.all("Authentication-Info");
    if (fields.empty() && !required) {
        return AuthenticationInfo{};
    }
    if (fields.size() != 1) {
        return untrusted(fields.empty() ? "missing" : "stands more than once");
    }
    const auto info = aka::DigestParameters::parse_info(fields.front());
    if (!info) {
        return untrusted("not readable");
    }
    for (const auto& [name, value] : info->all()) {
        if (name != "rspauth" && name != "nextnonce" && value != said(name, inputs, opaque)) {
            return untrusted("says what the request did not");
        }
    }
    if (!info->get("qop") || !info->get("cnonce") || !info->get("nc")) {
        return untrusted("without qop, cnonce or nc");
    }
    const auto rspauth = info->get("rspauth");
    const auto expected = aka::digest_rspauth(inputs, res, as_octets(response.body));
    if (!rspauth || !is_lower_hex(*rspauth) || !aka::digest_equal(expected, *rspauth)) {
        return untrusted(rspauth ? "rspauth is wrong" : "no rspauth");
    }
    AuthenticationInfo out;
    if (const auto next = info->get("nextnonce")) {
        out.next_nonce = std::string(*next);
    }
    return out;
}

} // namespace mtkey::gba
