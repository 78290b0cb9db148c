// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "testbed/virtual_uicc/authentication.hpp"
#include "testbed/virtual_uicc/file_system.hpp"
#include "testbed/virtual_uicc/pin.hpp"

#include <memory>

namespace mtkey::testbed {

/// A UICC with one USIM: command octets in, response octets out, no reader and no clock. Keys, SQN,
/// Ks and the PIN's attempts outlive reset(), as in a card.
class Card {
public:
    /// InvalidArgument when `profile` describes no possible card. `sqn_ms`: highest SQN accepted so
    /// far.
    static Result<Card> create(const CardProfile& profile,
                               std::unique_ptr<aka::Algorithm> algorithm, const aka::Sqn& sqn_ms);

    /// A command as it comes over the contacts (short form); the answer ends with SW1 SW2, always.
    SecretBytes transmit(ByteView command_octets);
    /// Power off and on, or a warm reset.
    void reset();
    [[nodiscard]] ByteView atr() const;
    [[nodiscard]] const aka::Sqn& sqn_ms() const { return authentication_.sqn_ms(); }

private:
    Card(const CardProfile& profile, std::unique_ptr<aka::Algorithm> algorithm,
         const aka::Sqn& sqn_ms);

    Answer execute(const uicc::CommandApdu& command);
    Answer authenticate(const uicc::CommandApdu& command);
    Answer select(const uicc::CommandApdu& command);
    SecretBytes get_response(const uicc::CommandApdu& command);
    SecretBytes answer_t0(const uicc::CommandApdu& command, Answer answer);
    SecretBytes answer_t1(const uicc::CommandApdu& command, Answer answer);
    SecretBytes hand_out(std::size_t length);

    Protocol protocol_;
    FileSystem files_;
    Pin pin_;
    Authentication authentication_;
    SecretBytes pending_; ///< for GET RESPONSE, until any other command
};

} // namespace mtkey::testbed
