// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "uicc/card_channel.hpp"
#include "uicc/directory.hpp"
#include "uicc/gba_files.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::uicc {

enum class MncSource { EfAd, Table, Configuration, Fallback };
/// "ef-ad", "table", "configuration", "fallback".
[[nodiscard]] std::string_view mnc_source_name(MncSource source);

/// A file that need not be there, and is not used.
struct LeftOut {
    std::uint16_t file = 0;
    Error why; ///< detail = SW1SW2; 0 = it makes no sense
};

/// What the ME reads of the card before it can do GBA with it. One per opened application.
struct Application {
    DirEntry entry;
    std::string iccid;
    std::string imsi;        ///< USIM, SIM: digits
    unsigned mnc_length = 2; ///< USIM, SIM: 2 or 3
    MncSource mnc_source = MncSource::Fallback;
    std::string impi;       ///< ISIM: EF_IMPI; that of a USIM is made of IMSI and MNC length
    std::string domain;     ///< ISIM: EF_DOMAIN; may be empty
    bool gba = false;       ///< service n.68 of EF_UST, n.2 of EF_IST
    bool local_key = false; ///< service n.76, n.4
    std::vector<std::string>
        naf_key_centers;        ///< EF_NAFKCA, FQDNs, highest priority first (both services)
    std::size_t gbabp_size = 0; ///< size of EF_GBABP by its FCP; 0 = no such file
    std::optional<std::uint8_t> pin_reference; ///< of the PIN that the FCP asks for
    int pin_attempts_left = -1; ///< before the PIN was shown; -1 = not known or PIN off
    /// EF_AD, EF_NAFKCA: refused, or records that make no sense. Whoever can shall look again:
    /// without EF_AD the identity may be another's.
    std::vector<LeftOut> left_out;
    [[nodiscard]] bool is_isim() const { return entry.kind == DirEntry::Kind::Isim; }
    [[nodiscard]] bool is_sim() const { return entry.kind == DirEntry::Kind::Sim; }
};

struct OpenOptions {
    unsigned configured_mnc_length = 0; ///< used when neither EF_AD nor the country tells; 0 = none
    unsigned pin_floor = 2;             ///< no VERIFY with fewer attempts left
    /// Asked only when the card wants a PIN; nothing returned = PinRequired. 4 to 8 digits. The
    /// argument is the ICCID: the caller remembers refused PINs by it.
    std::function<std::optional<SecretBytes>(std::string_view iccid)> pin;
    /// Told the attempts left before each such question: fewer than the last time, and the answer
    /// that was lost then was a refusal.
    std::function<void(std::string_view iccid, unsigned attempts_left)> pin_counted;
    std::string iccid; ///< of the only card that is used; "" = any
    ApplicationChoice choice;
    /// A card that refuses class 00 (6E 00) may be a SIM, with `choice` auto. Only after it has
    /// done so right behind a reset: a UICC does the same while it is in a GSM session.
    bool sim = false;
    bool probe_without_dir = false; ///< probe_application() where EF_DIR names nothing
};

/// EF_ICCID, EF_DIR, SELECT of the chosen application by its full AID, PIN, its identity (EF_IMSI
/// and EF_AD, or EF_IMPI and EF_DOMAIN), EF_UST or EF_IST, EF_NAFKCA, FCP of EF_GBABP, STATUS
/// "application initialised". Leaves the application selected.
///
/// Of files that need not be there 6A82 (not found) and 6283 (deactivated) mean that there is none.
/// Any other refusal may be true of one moment alone, 6982 and 6985 as well: the PIN is settled
/// before. For EF_GBABP it is an error: taken for absent, the file would keep its old B-TID beside
/// the new RAND. EF_AD and EF_NAFKCA go to `left_out`, so that a card that never lets them be read
/// is of use all the same. Nothing depends on EF_DOMAIN.
///
/// Errors: PinRequired, PinIncorrect (detail = attempts left), PinBlocked, PinFloor,
/// NotSupportedByCard (no such application, or not that card), CardFailed (files that make no
/// sense) and those of CardChannel.
[[nodiscard]] Result<Application> open_application(CardChannel& card, const OpenOptions& options);
/// The first USIM, whatever the choice says.
[[nodiscard]] Result<Application> open_usim(CardChannel& card, const OpenOptions& options);

/// SELECT of the application alone; after a reset or when somebody else may have used the card.
[[nodiscard]] Result<void> select_application(CardChannel& card, ByteView aid);
/// SELECT, and the PIN where the application wants one: after a reset, and so in each transaction
/// with a shared card, which is reset at the end of the one before. Errors: those of opening.
[[nodiscard]] Result<void> reopen_application(CardChannel& card, const Application& application,
                                              const OpenOptions& options);
[[nodiscard]] inline Result<void> reopen_usim(CardChannel& card, const Application& application,
                                              const OpenOptions& options) {
    return reopen_application(card, application, options);
}
/// EF_ICCID of a UICC by itself: the cheapest way to see whether it is still the same card.
[[nodiscard]] Result<std::string> read_iccid(CardChannel& card);

// What USIM and SIM have in common; for uicc/sim.cpp.
/// NotSupportedByCard unless the card is that of `options`; before its PIN is touched.
[[nodiscard]] Result<void> require_wanted_card(const Application& application,
                                               const OpenOptions& options);
/// By EF_AD, the country of the IMSI or the configuration, in this order.
void set_mnc_length(Application& application, const std::optional<Bytes>& ef_ad,
                    const OpenOptions& options);

} // namespace mtkey::uicc
