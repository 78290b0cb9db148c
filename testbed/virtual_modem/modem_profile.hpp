// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace mtkey::testbed {

/// modem.toml: how one modem speaks. README.md names the keys; the defaults are a polite one.
struct ModemProfile {
    enum class Quoting { Quoted, Bare, NoSpace };
    enum class Where { Before, Between, After };

    bool echo = false;   ///< before ATE is said
    unsigned errors = 1; ///< AT+CMEE before it is said: 0 ERROR, 1 numbers, 2 words
    Quoting quoting = Quoting::Quoted;
    bool lower_case = false;     ///< hex digits of answers
    bool no_status_word = false; ///< +CSIM and +CGLA give the data alone
    bool fetches = false;        ///< sends GET RESPONSE after 61xx itself
    bool bare_session = false;   ///< answers AT+CCHO with the number alone
    bool no_csim = false;
    bool no_channels = false;   ///< no AT+CCHO, AT+CGLA, AT+CCHC
    unsigned first_session = 5; ///< session ids count up from here: they are no channel numbers
    std::vector<std::string> unsolicited{};    ///< lines that nobody asked for, with every answer
    Where unsolicited_at = Where::Before;      ///< the answer, or between its lines and OK
    std::string removed_line{};                ///< said by itself when the card goes; empty = none
    std::string inserted_line{};               ///< when it comes
    std::chrono::milliseconds delay{0};        ///< of every answer
    std::chrono::milliseconds card_timeout{0}; ///< a mute card is an error then; 0 = no answer ever
    unsigned hang_up_at = 0;                   ///< which line; it is not answered. 0 = none
    std::chrono::milliseconds return_after{500};
};

/// Empty path: the defaults.
Result<ModemProfile> read_modem_file(const std::string& path);
Result<ModemProfile> parse_modem_file(std::string_view text, const std::string& path);

} // namespace mtkey::testbed
