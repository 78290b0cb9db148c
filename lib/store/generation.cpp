// SPDX-License-Identifier: Apache-2.0
#include "store/generation.hpp"

#include "base/hash.hpp"

#include <algorithm>

namespace mtkey::store {
namespace {

// magic 8, boot id 16, generation 8, MAC 32
constexpr std::string_view kMagic = "MTKEYGN1";
constexpr std::size_t kBootIdAt = 8;
constexpr std::size_t kGenerationAt = 24;
constexpr std::size_t kMacAt = 32;

Secret<32> mac(ByteView body, const Kek& kek, std::string_view store_id) {
    return hmac_sha256(generation_key(kek).reveal(), {body, as_octets(store_id)});
}

} // namespace

Bytes encode_generation(const GenerationFloor& floor, const Kek& kek, std::string_view store_id) {
    Bytes out;
    out.reserve(kGenerationFile);
    append(out, as_octets(kMagic));
    append(out, floor.boot_id);
    for (int shift = 56; shift >= 0; shift -= 8) {
        out.push_back(static_cast<std::uint8_t>(floor.generation >> shift));
    }
    append(out, mac(out, kek, store_id).reveal());
    return out;
}

Result<GenerationFloor> parse_generation(ByteView file, std::span<const Kek* const> keks,
                                         std::string_view store_id) {
    const auto is_from = [&](const Kek* kek) {
        return equal_constant_time(mac(file.first(kMacAt), *kek, store_id).reveal(),
                                   file.subspan(kMacAt));
    };
    if (file.size() != kGenerationFile || as_text(file.first(kMagic.size())) != kMagic ||
        !std::ranges::any_of(keks, is_from)) {
        return fail(Errc::Malformed, "the generation file was altered");
    }
    GenerationFloor out;
    std::ranges::copy(file.subspan(kBootIdAt, out.boot_id.size()), out.boot_id.begin());
    for (const auto octet : file.subspan(kGenerationAt, 8)) {
        out.generation = (out.generation << 8) | octet;
    }
    return out;
}

} // namespace mtkey::store
