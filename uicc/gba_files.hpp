// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "uicc/card_channel.hpp"
#include "uicc/directory.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// EF_GBABP and EF_GBANL of USIM (TS 31.102 clauses 4.2.79, 4.2.83) and ISIM (TS 31.103). The
// application must be selected. A file that is not there is a value; errors are those of
// uicc/files.hpp.
namespace mtkey::uicc {

/// What EF_GBABP holds. The card writes RAND with the bootstrapping AUTHENTICATE, the ME the rest
/// afterwards: RAND may be newer than B-TID.
struct Gbabp {
    std::array<std::uint8_t, 16> rand{};
    std::string b_tid;    ///< empty = not written
    std::string lifetime; ///< as it stands there; its coding is nowhere specified
};
/// Nothing for a card that has never bootstrapped (FF or 00).
[[nodiscard]] Result<std::optional<Gbabp>> parse_gbabp(ByteView file);
/// Whether update_gbabp() can write both.
[[nodiscard]] bool fits_gbabp(std::size_t file_size, std::string_view b_tid,
                              std::string_view lifetime);

/// One NAF that the card keeps a Ks_int_NAF for.
struct GbanlEntry {
    Bytes naf_id; ///< FQDN || Ua security protocol identifier
    std::string b_tid;
};
/// Nothing for a record that is not in use.
[[nodiscard]] Result<std::optional<GbanlEntry>> parse_gbanl_record(ByteView record);

[[nodiscard]] Result<std::optional<Gbabp>> read_gbabp(CardChannel& card, DirEntry::Kind kind);
/// RAND alone, in two commands: to see before UPDATE and around DE whether somebody else has
/// bootstrapped meanwhile. Leaves EF_GBABP selected.
[[nodiscard]] Result<std::optional<std::array<std::uint8_t, 16>>>
read_gbabp_rand(CardChannel& card, DirEntry::Kind kind);
/// Records that make no sense are left out.
[[nodiscard]] Result<std::vector<GbanlEntry>> read_gbanl(CardChannel& card, DirEntry::Kind kind);

/// B-TID and lifetime behind the RAND that the card wrote: SELECT EF_GBABP + UPDATE BINARY at
/// offset
/// 17. `file_size`: Application::gbabp_size. InvalidArgument when it does not fit (ask
/// fits_gbabp() before), NotFound when there is no such file (nothing is written then).
[[nodiscard]] Result<void> update_gbabp(CardChannel& card, DirEntry::Kind kind,
                                        std::size_t file_size, std::string_view b_tid,
                                        std::string_view lifetime);
/// The USIM's.
[[nodiscard]] Result<void> update_gbabp(CardChannel& card, std::size_t file_size,
                                        std::string_view b_tid, std::string_view lifetime);

} // namespace mtkey::uicc
