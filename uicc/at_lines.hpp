// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

// What a modem says (TS 27.007, ITU-T V.250), as pure functions. Never put into an Error or a log:
// a line may carry a PIN, RES or a key.
namespace mtkey::uicc {

/// How an answer is recognised among the lines of the modem.
struct AtQuestion {
    std::string_view prefix; ///< of the line that is wanted: "+CSIM:"; empty = only the result code
    bool bare_number = false; ///< a line that is a number alone is wanted too (AT+CCHO)
    /// Result codes without such a line belong to earlier commands.
    bool line_needed = false;
};

/// A finished answer. Borrows the octets that were read.
struct AtAnswer {
    enum class Result : std::uint8_t {
        Ok,
        Error,    ///< without a reason
        CmeError, ///< `cme` tells it
    } result = Result::Ok;
    std::uint16_t cme = 0;
    std::optional<std::string_view> payload; ///< behind the prefix; nothing = no such line came
};

/// TS 27.007 clause 9.2.1: "unknown"; also for a text that is in no table.
inline constexpr std::uint16_t kCmeUnknown = 100;

/// Nothing while the result code has not come. Lines that answer nothing (echo, unsolicited ones)
/// are passed over. Malformed: two lines with the prefix.
[[nodiscard]] Result<std::optional<AtAnswer>> parse_at_answer(std::string_view received,
                                                              const AtQuestion& question);

/// The payload of +CSIM and +CGLA: `<length>,"<hex>"`, also without quotes, spaces or length, and
/// with the length counted in octets. At most 258 octets. Malformed otherwise.
[[nodiscard]] Result<SecretBytes> parse_at_apdu(std::string_view payload);

/// The payload of +CCHO: a session, which is no number of a logical channel.
[[nodiscard]] Result<std::uint32_t> parse_at_session(std::string_view payload);

/// The whole lines in it that nobody asked for and that are about the card: it has come, has gone,
/// or is started anew. TS 27.007 knows none; makers call theirs +CPIN, +QSIMSTAT, ^SIMST, #QSS,
/// +SIMCARD and the like. Borrowed.
[[nodiscard]] std::vector<std::string_view> card_lines(std::string_view received);

/// The Error of a +CME ERROR, with the words of TS 27.007 behind `what`; `detail` is the code.
[[nodiscard]] std::unexpected<Error> cme_error(std::uint16_t code, std::string what);

} // namespace mtkey::uicc
