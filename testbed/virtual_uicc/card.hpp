// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "testbed/virtual_uicc/authentication.hpp"
#include "testbed/virtual_uicc/channels.hpp"
#include "testbed/virtual_uicc/file_system.hpp"
#include "testbed/virtual_uicc/pin.hpp"
#include "testbed/virtual_uicc/sim.hpp"

#include <memory>

namespace mtkey::testbed {

/// What a card remembers without power, beside its files and GBA keys.
struct CardMemory {
    std::vector<std::int64_t> seq;                               ///< of each IND
    std::vector<std::pair<std::uint8_t, unsigned>> pin_attempts; ///< left, by key reference
    bool operator==(const CardMemory&) const = default;
};

/// A UICC, or a SIM: command octets in, response octets out, no reader and no clock. Keys, SQN, Ks
/// and the PINs' attempts outlive reset(), as in a card.
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
    [[nodiscard]] Protocol protocol() const { return protocol_; }
    [[nodiscard]] aka::Sqn sqn_ms() const { return authentication_.sqn().highest(); }
    [[nodiscard]] CardMemory memory() const;
    /// InvalidArgument when it is another card's.
    Result<void> restore(const CardMemory& memory);

    /// Ks_int_NAF that the first application of this kind keeps for `naf_id`; it never leaves a
    /// card by a command, a test must see that it is there. Borrowed; null = none.
    [[nodiscard]] const Secret<32>* ks_int_naf(ApplicationKind kind, ByteView naf_id) const;

private:
    Card(const CardProfile& profile, std::unique_ptr<aka::Algorithm> algorithm,
         const aka::Sqn& sqn_ms);

    Answer execute(const uicc::CommandApdu& command, unsigned channel);
    Answer authenticate(const uicc::CommandApdu& command, const Selection& at);
    Answer verify(const uicc::CommandApdu& command, const Selection& at);
    [[nodiscard]] Rights rights(const Selection& at) const;
    [[nodiscard]] const Pin* pin(std::uint8_t reference) const;
    void forget_pins_of_ended_applications();
    Answer fetch();

    SecretBytes get_response(const uicc::CommandApdu& command);
    SecretBytes answer_t0(const uicc::CommandApdu& command, Answer answer);
    SecretBytes answer_t1(const uicc::CommandApdu& command, Answer answer);
    SecretBytes hand_out(std::size_t length, std::uint16_t sw);
    [[nodiscard]] std::uint16_t closing(std::uint16_t sw) const;

    Protocol protocol_;
    Quirks quirks_;
    FileSystem files_;
    std::vector<ApplicationState> applications_; ///< directory 1 is the first one's
    std::vector<std::uint8_t> pin_references_;   ///< the same
    std::vector<Pin> pins_;
    Authentication authentication_;
    Channels channels_;
    std::optional<Sim> sim_; ///< then all the rest but PIN 01 and the key is out of reach

    SecretBytes pending_; ///< for GET RESPONSE, until any other command
    unsigned pending_channel_ = 0;
    bool pending_is_fcp_ = false;
    bool command_waits_ = false; ///< a proactive one, for FETCH
    unsigned busy_ = 0;
    Bytes refused_read_; ///< header of the READ that quirk wrong_le_on_read refused last
};

} // namespace mtkey::testbed
