// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "uicc/application.hpp"
#include "uicc/card_channel.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <string>

// A SIM (TS 51.011): a card that is no UICC and knows the commands of class A0 alone. Nothing here
// is for a UICC: one in a GSM session refuses every command of a USIM. Errors of all that takes a
// card: those of CardChannel, PinRequired (98 04), PinBlocked (98 40), NotSupportedByCard (6D 00,
// 6E 00), CardFailed; `detail` is SW1SW2.
namespace mtkey::uicc {

/// What SELECT tells of MF and DFs (clause 9.2.1).
struct SimDirectory {
    bool chv1_enabled = false;
    std::optional<unsigned> chv1_attempts_left; ///< 0 to 15; nothing = CHV1 is not initialised
};
[[nodiscard]] Result<SimDirectory> parse_sim_directory(ByteView response);

/// Size of a transparent file that is not invalidated, as SELECT tells it (clause 9.2.1).
[[nodiscard]] Result<std::size_t> parse_sim_file(ByteView response);

/// What a SIM answers to RAND.
struct GsmAnswer {
    Secret<4> sres;
    Secret<8> kc;
};
/// SRES || Kc, 12 octets (clause 9.2.16).
[[nodiscard]] Result<GsmAnswer> parse_gsm_answer(ByteView response);

/// RUN GSM ALGORITHM (clauses 8.16, 9.2.16). DF_GSM must be selected and CHV1 verified.
[[nodiscard]] Result<GsmAnswer> run_gsm_algorithm(CardChannel& card,
                                                  const std::array<std::uint8_t, 16>& rand);

/// EF_ICCID, DF_GSM, CHV1, EF_IMSI and EF_AD: an Application of kind Sim, without GBA services and
/// GBA files. Leaves DF_GSM selected. For a card that has refused class 00; one that has an EF_DIR
/// all the same is a UICC: NotSupportedByCard. CHV1 is shown by the rules of satisfy_pin(): its
/// counter is in the answer to SELECT, and a card that does not tell it is shown none (PinFloor).
[[nodiscard]] Result<Application> open_sim(CardChannel& card, const OpenOptions& options);
/// DF_GSM and CHV1 alone, after a reset.
[[nodiscard]] Result<void> reopen_sim(CardChannel& card, const Application& application,
                                      const OpenOptions& options);

} // namespace mtkey::uicc
