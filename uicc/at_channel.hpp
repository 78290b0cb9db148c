// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "uicc/at_port.hpp"
#include "uicc/card_channel.hpp"
#include "uicc/transmit.hpp"

#include <cstdint>
#include <optional>
#include <utility>

namespace mtkey::uicc {

/// How a modem passes APDUs on (TS 27.007 clauses 8.17, 8.43, 8.45, 8.46).
enum class AtAccess : std::uint8_t {
    Any, ///< a session of its own; AT+CSIM when the modem has none to give
    /// AT+CSIM: the basic channel, which the modem uses too; a LogicalChannel on top has a
    /// selection of its own. A PIN that was verified there stays so: nobody resets the card.
    Csim,
    Session, ///< AT+CCHO, AT+CGLA, AT+CCHC: a logical channel that the modem looks after
};

struct AtChannelOptions {
    AtAccess access = AtAccess::Any;
    /// What the session is opened with: a whole AID or the beginning of one. Default: a USIM.
    Bytes aid{0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02};
    /// The form of the commands. Modems take that of T=0 with every card.
    Protocol protocol = Protocol::T0;
};

/// The card behind a modem. In a session the modem writes the number of the logical channel into
/// the class octet itself: commands are built as for the basic channel. Borrows the port, ends
/// before it; closes its session.
class AtChannel final : public CardChannel, public RawCard {
public:
    /// Errors: those of AtPort::ask; Rejected when the modem knows none of the commands.
    [[nodiscard]] static Result<AtChannel> open(AtPort& port, const AtChannelOptions& options = {});
    AtChannel(AtChannel&& other) noexcept
        : port_(std::exchange(other.port_, nullptr)),
          session_(other.session_),
          protocol_(other.protocol_),
          generation_(other.generation_),
          count_(other.count_) {}
    AtChannel& operator=(AtChannel&&) = delete;
    AtChannel(const AtChannel&) = delete;
    AtChannel& operator=(const AtChannel&) = delete;
    ~AtChannel() override;

    /// NoCard for ever once the modem was away: session, selection and PIN are gone. PinRequired,
    /// PinBlocked and Rejected when the modem says so before it asks the card.
    [[nodiscard]] Result<ResponseApdu> transmit(const CommandApdu& command) override;

    /// One command as the modem passes it on, without what transmit() makes of the answer: for
    /// those who test modems.
    [[nodiscard]] Result<SecretBytes> exchange(ByteView command) override;
    [[nodiscard]] Protocol protocol() const { return protocol_; }

    /// The modem's name for it, no number of a channel. Nothing: AT+CSIM.
    [[nodiscard]] std::optional<std::uint32_t> session() const { return session_; }
    /// Command APDUs sent since open(), GET RESPONSE included.
    [[nodiscard]] unsigned apdu_count() const { return count_; }

private:
    AtChannel(AtPort& port, std::optional<std::uint32_t> session, Protocol protocol)
        : port_(&port), session_(session), protocol_(protocol), generation_(port.generation()) {}
    AtPort* port_;
    std::optional<std::uint32_t> session_;
    Protocol protocol_;
    unsigned generation_;
    unsigned count_ = 0;
};

/// True when the modem would give the same answer, or none, to AT commands of the other kind.
[[nodiscard]] bool is_final_at_error(Errc code);

} // namespace mtkey::uicc
