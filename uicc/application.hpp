// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "uicc/card_channel.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::uicc {

/// One application of EF_DIR (TS 102 221 clause 13.1).
struct DirEntry {
    enum class Kind { Usim, Isim, Other } kind = Kind::Other;
    Bytes aid; ///< 5 to 16 octets
    std::string label;
};

enum class MncSource { EfAd, Configuration, Fallback };

/// What the ME reads of the card before it can do GBA with it. One per opened application.
struct Application {
    DirEntry entry;
    std::string iccid;
    std::string imsi;        ///< digits
    unsigned mnc_length = 2; ///< 2 or 3
    MncSource mnc_source = MncSource::Fallback;
    bool gba = false;       ///< service n.68 of EF_UST
    bool local_key = false; ///< service n.76
    std::vector<std::string>
        naf_key_centers;        ///< EF_NAFKCA, FQDNs, highest priority first (services 68 and 76)
    std::size_t gbabp_size = 0; ///< size of EF_GBABP by its FCP; 0 = no such file
    int pin_attempts_left = -1; ///< before the PIN was shown; -1 = not known or PIN off
};

struct OpenOptions {
    unsigned configured_mnc_length = 0; ///< used when EF_AD does not tell; 0 = none
    unsigned pin_floor = 2;             ///< no VERIFY with fewer attempts left
    /// Asked only when the card wants a PIN; nothing returned = PinRequired. 4 to 8 digits. The
    /// argument is the ICCID: the caller remembers refused PINs by it.
    std::function<std::optional<SecretBytes>(std::string_view iccid)> pin;
};

/// EF_ICCID, EF_DIR, SELECT of the first USIM by its full AID, PIN, EF_AD, EF_IMSI, EF_UST,
/// EF_NAFKCA, FCP of EF_GBABP, STATUS "application initialised". Leaves the application selected.
/// Errors: PinRequired, PinIncorrect (detail = attempts left), PinBlocked, PinFloor,
/// NotSupportedByCard (no USIM), CardFailed (files that make no sense) and those of CardChannel.
[[nodiscard]] Result<Application> open_usim(CardChannel& card, const OpenOptions& options);

/// SELECT of the application alone; after a reset or when somebody else may have used the card.
[[nodiscard]] Result<void> select_application(CardChannel& card, ByteView aid);
/// SELECT, and the PIN where the application wants one: after a reset, and so in each transaction
/// with a shared card, which is reset at the end of the one before. Errors: those of open_usim.
[[nodiscard]] Result<void> reopen_usim(CardChannel& card, const Application& application,
                                       const OpenOptions& options);
/// EF_ICCID by itself: the cheapest way to see whether it is still the same card.
[[nodiscard]] Result<std::string> read_iccid(CardChannel& card);

/// B-TID and lifetime behind the RAND that the card wrote (TS 31.102 clause 4.2.79): SELECT
/// EF_GBABP + UPDATE BINARY at offset 17. `file_size`: Application::gbabp_size. InvalidArgument
/// when it does not fit, NotFound when there is no such file (nothing is written then).
[[nodiscard]] Result<void> update_gbabp(CardChannel& card, std::size_t file_size,
                                        std::string_view b_tid, std::string_view lifetime);

} // namespace mtkey::uicc
