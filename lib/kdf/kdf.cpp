// SPDX-License-Identifier: Apache-2.0
#include "kdf/kdf.hpp"

#include "base/hash.hpp"

#include <algorithm>

namespace mtkey::kdf {
namespace {

/// Our uses have at most four; the room is on the stack, so that nothing is allocated on the way to
/// the HMAC.
constexpr std::size_t kMostParameters = 16;
constexpr std::size_t kLongestParameter = 0xFFFF;

/// TS 33.220 clause B.2.0: one octet, or FF || FC2.
bool is_function_code(ByteView fc) {
    return (fc.size() == 1 && fc[0] != 0xFF) || (fc.size() == 2 && fc[0] == 0xFF);
}

} // namespace

Result<Secret<32>> derive(ByteView key, ByteView fc, std::span<const ByteView> parameters) {
    if (!is_function_code(fc)) {
        return fail(Errc::InvalidArgument,
                    "FC of a key derivation must be one octet, or FF and one more");
    }
    if (parameters.size() > kMostParameters) {
        return fail(Errc::InvalidArgument, "key derivation with more than 16 parameters");
    }
    std::array<std::array<std::uint8_t, 2>, kMostParameters> lengths{};
    std::array<ByteView, 1 + 2 * kMostParameters> parts{};
    std::size_t used = 0;
    parts[used++] = fc;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const std::size_t size = parameters[i].size();
        if (size > kLongestParameter) {
            return fail(Errc::InvalidArgument, "key derivation parameter above 65535 octets");
        }
        lengths[i] = {static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size & 0xFF)};
        parts[used++] = parameters[i];
        parts[used++] = lengths[i];
    }
    return hmac_sha256(key, std::span<const ByteView>(parts).first(used));
}

Result<Secret<32>> derive(ByteView key, std::uint8_t fc,
                          std::initializer_list<ByteView> parameters) {
    return derive(key, ByteView(&fc, 1),
                  std::span<const ByteView>(parameters.begin(), parameters.size()));
}

std::array<std::uint8_t, 8> fingerprint(ByteView key) {
    const Secret<32> mac = hmac_sha256(key, {as_octets("mtkey fingerprint")});
    std::array<std::uint8_t, 8> out{};
    std::ranges::copy(mac.reveal().first<8>(), out.begin());
    return out;
}

} // namespace mtkey::kdf
