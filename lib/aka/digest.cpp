// SPDX-License-Identifier: Apache-2.0
#include "aka/digest.hpp"

#include "base/encoding.hpp"
#include "base/hash.hpp"

#include <algorithm>

namespace mtkey::aka {
namespace {

constexpr std::size_t kRandAndAutn = 32;
constexpr std::size_t kHexDigits = 32;

std::string md5_hex(std::initializer_list<ByteView> parts) {
    return to_hex(md5(parts));
}

/// RFC 2617 section 3.2.2.1. `method` is empty for rspauth.
std::string compute(const DigestInputs& in, std::string_view method, ByteView password,
                    ByteView entity_body) {
    const ByteView colon = as_octets(":");
    // H(A1) stands for the password: whoever has it can answer for the user.
    auto a1 = md5({as_octets(in.username), colon, as_octets(in.realm), colon, password});
    std::string ha1 = to_hex(a1);
    wipe(a1);
    std::string ha2;
    if (in.qop == "auth-int") {
        const std::string body = md5_hex({entity_body});
        ha2 = md5_hex({as_octets(method), colon, as_octets(in.uri), colon, as_octets(body)});
    } else {
        ha2 = md5_hex({as_octets(method), colon, as_octets(in.uri)});
    }
    std::string response =
        in.qop.empty()
            ? md5_hex({as_octets(ha1), colon, as_octets(in.nonce), colon, as_octets(ha2)})
            : md5_hex({as_octets(ha1), colon, as_octets(in.nonce), colon, as_octets(in.nc), colon,
                       as_octets(in.cnonce), colon, as_octets(in.qop), colon, as_octets(ha2)});
    wipe(ha1);
    return response;
}

bool lower_hex(std::string_view text, std::array<std::uint8_t, kHexDigits>& out) {
    if (text.size() != kHexDigits) {
        return false;
    }
    for (std::size_t i = 0; i < kHexDigits; ++i) {
        const char c = text[i];
        const bool upper = c >= 'A' && c <= 'F';
        if (!upper && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) {
            return false;
        }
        out[i] = static_cast<std::uint8_t>(upper ? c - 'A' + 'a' : c);
    }
    return true;
}

} // namespace

std::string digest_response(const DigestInputs& inputs, ByteView password, ByteView entity_body) {
    return compute(inputs, inputs.method, password, entity_body);
}

std::string digest_rspauth(const DigestInputs& inputs, ByteView password, ByteView entity_body) {
    return compute(inputs, {}, password, entity_body);
}

bool digest_equal(std::string_view ours, std::string_view received) {
    std::array<std::uint8_t, kHexDigits> a{};
    std::array<std::uint8_t, kHexDigits> b{};
    return lower_hex(ours, a) && lower_hex(received, b) && equal_constant_time(a, b);
}

Result<AkaNonce> parse_nonce(std::string_view nonce) {
    const Bytes octets = MTKEY_TRY(from_base64(nonce));
    if (octets.size() < kRandAndAutn) {
        return fail(Errc::Malformed, "nonce holds no RAND and AUTN");
    }
    AkaNonce out{};
    std::copy_n(octets.begin(), 16, out.rand.begin());
    std::copy_n(octets.begin() + 16, 16, out.autn.begin());
    out.server_data.assign(octets.begin() + kRandAndAutn, octets.end());
    return out;
}

std::string make_nonce(const std::array<std::uint8_t, 16>& rand,
                       const std::array<std::uint8_t, 16>& autn, ByteView server_data) {
    Bytes octets;
    octets.reserve(kRandAndAutn + server_data.size());
    append(octets, rand);
    append(octets, autn);
    append(octets, server_data);
    return to_base64(octets);
}

} // namespace mtkey::aka
