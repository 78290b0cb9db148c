// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "testbed/virtual_modem/modem_profile.hpp"
#include "testbed/virtual_uicc/slot.hpp"

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace mtkey::testbed {

/// What a modem does after one line.
struct ModemAnswer {
    std::string text;
    std::chrono::milliseconds delay{0};
    bool hang_up = false;
};

/// The AT commands of TS 27.007 that reach a UICC: owns their settings and the sessions of AT+CCHO.
/// No tty and no clock. `slot` is borrowed.
class Modem {
public:
    Modem(const ModemProfile& profile, Slot& slot);

    /// One line without its carriage return.
    ModemAnswer line(std::string_view line);
    /// What it says by itself now that the card has come or gone; empty = nothing.
    [[nodiscard]] std::string card_line() const;
    /// What the caller has to send back of what was typed.
    [[nodiscard]] bool echo() const { return echo_; }

private:
    /// +CME ERROR codes (TS 27.007 clause 9.2).
    enum class Cme : unsigned;
    struct Information {
        std::vector<std::string> lines;
    };
    using Outcome = std::expected<Information, Cme>;
    using Handler = Outcome (Modem::*)(std::string_view);
    struct Command {
        std::string_view name;
        Handler handler;
    };
    static const std::vector<Command>& commands();

    Outcome execute(std::string_view command);
    Outcome pin_state(std::string_view);
    Outcome enter_pin(std::string_view arguments);
    Outcome generic_access(std::string_view arguments);
    Outcome open_session(std::string_view arguments);
    Outcome session_access(std::string_view arguments);
    Outcome close_session(std::string_view arguments);
    Outcome imsi(std::string_view);
    Outcome iccid(std::string_view);
    Outcome report_errors(std::string_view arguments);

    /// To the card and back; GET RESPONSE and 6Cxx are followed when `follow`.
    std::expected<SecretBytes, Cme> exchange(ByteView command, bool follow);
    /// The modem's own: data of a command that ended well.
    std::expected<Bytes, Cme> own(const Bytes& command);
    std::expected<Bytes, Cme> read_own(std::uint16_t fid, std::uint8_t length);
    [[nodiscard]] std::string apdu_line(std::string_view name, ByteView answer) const;
    [[nodiscard]] std::string error_text(Cme code) const;

    const ModemProfile profile_;
    Slot& slot_;
    bool echo_;
    unsigned errors_;
    bool silent_ = false; ///< the card is mute: no answer to this line
    std::chrono::milliseconds card_delay_{0};
    std::map<unsigned, unsigned> sessions_; ///< to channels of the card
    std::uint64_t power_ups_;               ///< of the slot, when the sessions were looked at last
    unsigned next_session_;
    unsigned lines_ = 0;
};

} // namespace mtkey::testbed
