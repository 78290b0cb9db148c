// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "testbed/virtual_uicc/authentication.hpp"
#include "testbed/virtual_uicc/card_profile.hpp"
#include "testbed/virtual_uicc/file_system.hpp"
#include "testbed/virtual_uicc/pin.hpp"

#include <array>
#include <optional>

namespace mtkey::testbed {

/// What a card is that is no UICC (TS 51.011): MF and DF_GSM, commands of class A0 on T=0, CHV1.
/// Owns its files and what is selected; CHV1's digits and the key are the card's.
class Sim {
public:
    explicit Sim(const CardProfile& profile);

    void reset();
    /// The answer ends with SW1 SW2.
    SecretBytes transmit(const uicc::CommandApdu& command, Pin& chv1,
                         const aka::Algorithm& algorithm);

private:
    Answer execute(const uicc::CommandApdu& command, Pin& chv1, const aka::Algorithm& algorithm);
    Answer select(const uicc::CommandApdu& command, const Pin& chv1);
    Answer read_binary(const uicc::CommandApdu& command, const Pin& chv1) const;
    [[nodiscard]] Bytes told_of_directory(const Pin& chv1) const;
    SecretBytes get_response(const uicc::CommandApdu& command);

    std::array<Directory, 2> directories_; ///< MF, DF_GSM
    std::size_t directory_ = 0;
    std::optional<std::size_t> file_; ///< in that directory
    SecretBytes pending_;             ///< for GET RESPONSE, until any other command
};

} // namespace mtkey::testbed
