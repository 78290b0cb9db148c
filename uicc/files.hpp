// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "uicc/card_channel.hpp"
#include "uicc/ef_parsers.hpp"

#include <cstdint>
#include <optional>
#include <vector>

// Reading of elementary files. Errors of all: those of CardChannel, PinRequired (69 82),
// CardFailed. A file that is not there (6A 82) is a value.
namespace mtkey::uicc {

namespace fid {
inline constexpr std::uint16_t kDir = 0x2F00;
inline constexpr std::uint16_t kIccid = 0x2FE2;
inline constexpr std::uint16_t kImsi = 0x6F07;
inline constexpr std::uint16_t kUst = 0x6F38;
inline constexpr std::uint16_t kAd = 0x6FAD;
inline constexpr std::uint16_t kGbabp = 0x6FD6;
inline constexpr std::uint16_t kGbanl = 0x6FDA;
inline constexpr std::uint16_t kNafkca = 0x6FDD; // in both
// Of the ISIM (TS 31.103 clause 4.2): some are the numbers of other files in the USIM.
inline constexpr std::uint16_t kIsimImpi = 0x6F02;
inline constexpr std::uint16_t kIsimDomain = 0x6F03;
inline constexpr std::uint16_t kIsimIst = 0x6F07;
inline constexpr std::uint16_t kIsimGbabp = 0x6FD5;
inline constexpr std::uint16_t kIsimGbanl = 0x6FD7;
} // namespace fid

/// Where a file identifier is looked for.
enum class Under : std::uint8_t {
    MasterFile, ///< by path from the MF: works whatever is selected
    Current,    ///< in the application that is selected
};

/// SELECT of an application by its AID or the beginning of it; its FCP is in the answer.
[[nodiscard]] Result<ResponseApdu> select_aid(CardChannel& card, ByteView aid, bool want_fcp);

/// A status word that means "no such file" gives nothing.
[[nodiscard]] Result<std::optional<Fcp>> select_file(CardChannel& card, Under under,
                                                     std::uint16_t file);
/// The same without its description: one exchange less on T=0.
[[nodiscard]] Result<bool> select_file_quietly(CardChannel& card, Under under, std::uint16_t file);

/// SELECT and the whole content, at most 4 KiB.
[[nodiscard]] Result<std::optional<Bytes>> read_transparent(CardChannel& card, Under under,
                                                            std::uint16_t file);

/// SELECT and the records from the first on, at most `limit`.
[[nodiscard]] Result<std::optional<std::vector<Bytes>>>
read_records(CardChannel& card, Under under, std::uint16_t file, unsigned limit);

} // namespace mtkey::uicc
