// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "uicc/card_channel.hpp"

#include <string>
#include <string_view>
#include <vector>

// Which applications a card has and which one is used.
namespace mtkey::uicc {

/// One application of EF_DIR (TS 102 221 clause 13.1).
struct DirEntry {
    enum class Kind {
        Usim,
        Isim,
        Sim, ///< no application of a UICC, and in no EF_DIR: see uicc/sim.hpp
        Other,
    } kind = Kind::Other;
    Bytes aid; ///< 5 to 16 octets; none of a SIM
    std::string label;
};

/// By RID of 3GPP and application code, the first 7 octets (TS 101 220 annex E).
[[nodiscard]] DirEntry::Kind kind_of_aid(ByteView aid);

/// What configuration says of the application.
struct ApplicationChoice {
    enum class Kind {
        Auto, ///< the USIM, or the ISIM where there is no USIM
        Usim,
        Isim,
        Aid, ///< the first one whose AID begins like this
    } kind = Kind::Auto;
    Bytes aid; ///< 5 to 16 octets, for Kind::Aid only
};
/// "auto", "usim", "isim" or an AID in hex. InvalidArgument.
[[nodiscard]] Result<ApplicationChoice> parse_application_choice(std::string_view text);

/// All records of EF_DIR that make sense, in their order. No EF_DIR is an empty list.
[[nodiscard]] Result<std::vector<DirEntry>> list_applications(CardChannel& card);

/// TS 33.220 clause 4.4.8 where no application is active, as on a bare reader. NotSupportedByCard
/// when there is none of the kind, or the AID is that of another kind of application.
[[nodiscard]] Result<DirEntry> choose_application(const std::vector<DirEntry>& applications,
                                                  const ApplicationChoice& choice);

/// For cards without EF_DIR: SELECT by the first octets of the AID, the whole one out of the FCP
/// (TS 102 221 clause 11.1.1.4.9). Some cards select what was not meant: off by default.
[[nodiscard]] Result<DirEntry> probe_application(CardChannel& card,
                                                 const ApplicationChoice& choice);

} // namespace mtkey::uicc
