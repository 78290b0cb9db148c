// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/aka.hpp"
#include "base/secret.hpp"
#include "testbed/virtual_uicc/access.hpp"
#include "testbed/virtual_uicc/quirks.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mtkey::testbed {

/// ISO/IEC 7816-3 transmission protocol: T0 answers 61xx and 6Cxx, T1 gives the data at once.
enum class Protocol { T0, T1 };
enum class ApplicationKind { Usim, Isim };

/// One application of the card. Empty texts are derived from the IMSI (TS 23.003 clause 13).
struct ApplicationProfile {
    ApplicationKind kind = ApplicationKind::Usim;
    Bytes aid{};                      ///< 5 to 16 octets; empty = 3GPP's with FF for the country
    std::string label{};              ///< at most 32 octets; empty = USIM1, ISIM1
    std::uint8_t pin_reference = 1;   ///< 01 to 08
    bool gba = true;                  ///< USIM service 68, ISIM service 2
    bool local_key = false;           ///< USIM service 76, ISIM service 4
    bool gsm_access = false;          ///< USIM service 27: Kc in the answer of the 3G context
    std::vector<unsigned> services{}; ///< more of them
    std::vector<std::string> naf_key_centers{}; ///< EF_NAFKCA, most preferred first
    std::string impi{};                         ///< of an ISIM
    std::string domain{};                       ///< of an ISIM
    std::vector<std::string> impu{};            ///< of an ISIM
};

/// A PIN beside the first one.
struct PinProfile {
    std::uint8_t reference = 0; ///< 02 to 08 applications, 0A ADM, 11 universal PIN
    SecretBytes digits;         ///< 4 to 8
    unsigned attempts = 3;
};

/// A file more, or other properties of one that there is already.
struct FileProfile {
    std::optional<ApplicationKind> where{}; ///< its first application; none = MF
    std::uint16_t fid = 0;
    bool missing = false; ///< take it out
    std::optional<std::uint8_t> sfi{};
    std::optional<std::size_t> record_length{};
    std::optional<Bytes> content{};
    std::optional<std::size_t> size{}; ///< cut or filled with FF
    std::optional<Access> read{};
    std::optional<Access> update{};
};

/// What one card is made of, apart from its keys and SQN.
struct CardProfile {
    std::string iccid;       ///< 18 to 20 digits
    std::string imsi;        ///< 6 to 15 digits
    unsigned mnc_length = 2; ///< 2 or 3; what EF_AD says
    bool sim = false;        ///< no UICC: DF_GSM and class A0, on T=0, without applications
    // The USIM of a card that names no applications, and what those start from that are named.
    bool gba = true;
    bool local_key = false;
    bool gsm_access = false;
    std::optional<SecretBytes> pin; ///< key reference 01, 4 to 8 digits; none = disabled
    std::vector<std::string> naf_key_centers;

    aka::GbaURules gba_u;
    Protocol protocol = Protocol::T0;
    unsigned pin_attempts = 3;
    std::vector<PinProfile> more_pins;
    std::vector<ApplicationProfile> applications; ///< none = one USIM
    std::vector<FileProfile> files;
    bool arr = false;      ///< FCP names records of EF_ARR; else the conditions stand in it
    unsigned channels = 4; ///< with the basic one, 1 to 20
    aka::SqnRules sqn;
    Quirks quirks;
};

} // namespace mtkey::testbed
