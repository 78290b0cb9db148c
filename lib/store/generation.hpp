// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/boot_id.hpp"
#include "store/sealing.hpp"

namespace mtkey::store {

/// What the generation file says: in this boot a store of at least this generation was in use, and
/// an older one is a copy that somebody put back. It lives in a tmpfs.
struct GenerationFloor {
    BootId boot_id{};
    std::uint64_t generation = 0;
};

inline constexpr std::size_t kGenerationFile = 64;
[[nodiscard]] Bytes encode_generation(const GenerationFloor& floor, const Kek& kek,
                                      std::string_view store_id);
/// Malformed: made under none of `keks`, or altered.
[[nodiscard]] Result<GenerationFloor>
parse_generation(ByteView file, std::span<const Kek* const> keks, std::string_view store_id);

} // namespace mtkey::store
