// SPDX-License-Identifier: Apache-2.0
#include "uicc/at_lines.hpp"

#include "base/encoding.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace mtkey::uicc {
namespace {
constexpr std::size_t kLongestApdu = 256 + 2;

struct CmeRow {
    std::uint16_t code;
    Errc errc;
    std::string_view text;
};
// TS 27.007 clauses 9.2.1 and 9.2.2, as far as a card is concerned.
constexpr std::array kCmeRows{
    CmeRow{0, Errc::CardFailed, "phone failure"},
    CmeRow{1, Errc::NoReader, "no connection to phone"},
    CmeRow{3, Errc::Rejected, "operation not allowed"},
    CmeRow{4, Errc::Rejected, "operation not supported"},
    CmeRow{10, Errc::NoCard, "SIM not inserted"},
    CmeRow{11, Errc::PinRequired, "SIM PIN required"},
    CmeRow{12, Errc::PinBlocked, "SIM PUK required"},
    CmeRow{13, Errc::CardFailed, "SIM failure"},
    CmeRow{14, Errc::ReaderBusy, "SIM busy"},
    CmeRow{15, Errc::CardFailed, "SIM wrong"},
    CmeRow{16, Errc::Rejected, "incorrect password"}, // no attempt of ours
    CmeRow{17, Errc::PinRequired, "SIM PIN2 required"},
    CmeRow{18, Errc::PinBlocked, "SIM PUK2 required"},
    CmeRow{20, Errc::LimitExceeded, "memory full"},
    CmeRow{21, Errc::InvalidArgument, "invalid index"},
    CmeRow{22, Errc::NotFound, "not found"},
    CmeRow{23, Errc::CardFailed, "memory failure"},
    CmeRow{24, Errc::InvalidArgument, "text string too long"},
    CmeRow{25, Errc::InvalidArgument, "invalid characters in text string"},
    CmeRow{50, Errc::InvalidArgument, "incorrect parameters"},
    CmeRow{kCmeUnknown, Errc::CardFailed, "unknown"},
};

bool is_space(char c) {
    return c == ' ' || c == '\t';
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_space(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_space(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_letters(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, lower, lower);
}

/// Decimal digits and nothing else.
template <typename T>
std::optional<T> number(std::string_view text) {
    T value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::uint16_t cme_code(std::string_view text) {
    if (const auto code = number<std::uint16_t>(text)) {
        return *code;
    }
    if (text.starts_with("(U)")) { // newer modems: "(U)SIM not inserted"
        text.remove_prefix(3);
    }
    const auto* row = std::ranges::find_if(
        kCmeRows, [&](const CmeRow& one) { return same_letters(one.text, text); });
    return row == kCmeRows.end() ? kCmeUnknown : row->code;
}

/// The result codes that end an answer. "NO CARRIER", "BUSY" and the like belong to calls and may
/// come at any time.
std::optional<AtAnswer> as_result_code(std::string_view line) {
    constexpr std::string_view kCme = "+CME ERROR:";
    constexpr std::array<std::string_view, 5> kRefusals{
        "ERROR", "COMMAND NOT SUPPORT", "COMMAND NOT SUPPORTED", "TOO MANY PARAMETERS", "ABORTED"};
    if (line == "OK") {
        return AtAnswer{};
    }
    if (line.starts_with(kCme)) {
        return AtAnswer{AtAnswer::Result::CmeError, cme_code(trimmed(line.substr(kCme.size()))),
                        std::nullopt};
    }
    if (line.starts_with("+CMS ERROR:") || std::ranges::find(kRefusals, line) != kRefusals.end()) {
        return AtAnswer{AtAnswer::Result::Error, 0, std::nullopt};
    }
    return std::nullopt;
}

std::optional<std::string_view> wanted_payload(std::string_view line, const AtQuestion& question) {
    if (!question.prefix.empty() && line.starts_with(question.prefix)) {
        return trimmed(line.substr(question.prefix.size()));
    }
    if (question.bare_number && number<std::uint32_t>(line)) {
        return line;
    }
    return std::nullopt;
}

/// The name of an unsolicited line about the card.
bool names_card(std::string_view line) {
    constexpr std::string_view kMarks = "+^#*%$";
    constexpr std::array<std::string_view, 3> kAnswers{"+CSIM", "+CGLA", "+CCHO"};
    const auto name = trimmed(line.substr(0, line.find(':')));
    if (name.empty() || std::ranges::find(kAnswers, name) != kAnswers.end()) {
        return false;
    }
    const bool marked = kMarks.contains(name.front());
    return name == "+CPIN" || name == "#QSS" ||
           ((marked || name.starts_with("SIM ")) && name.contains("SIM"));
}
} // namespace

Result<std::optional<AtAnswer>> parse_at_answer(std::string_view received,
                                                const AtQuestion& question) {
    std::optional<std::string_view> payload;
    for (std::size_t end = 0; (end = received.find_first_of("\r\n")) != std::string_view::npos;) {
        const auto line = trimmed(received.substr(0, end));
        received.remove_prefix(end + 1);
        if (auto answer = as_result_code(line)) {
            if (question.line_needed && !payload) {
                continue;
            }
            answer->payload = payload;
            return answer;
        }
        if (const auto found = wanted_payload(line, question)) {
            if (payload) {
                return fail(Errc::Malformed, "two answers to one AT command");
            }
            payload = found;
        }
    }
    return std::nullopt;
}

std::vector<std::string_view> card_lines(std::string_view received) {
    std::vector<std::string_view> out;
    for (std::size_t end = 0; (end = received.find_first_of("\r\n")) != std::string_view::npos;) {
        if (const auto line = trimmed(received.substr(0, end)); names_card(line)) {
            out.push_back(line);
        }
        received.remove_prefix(end + 1);
    }
    return out;
}

Result<SecretBytes> parse_at_apdu(std::string_view payload) {
    std::optional<std::size_t> length;
    auto hex = trimmed(payload);
    if (const auto comma = hex.find(','); comma != std::string_view::npos) {
        length = number<std::size_t>(trimmed(hex.substr(0, comma)));
        if (!length) {
            return fail(Errc::Malformed, "answer of the modem whose length is no number");
        }
        hex = trimmed(hex.substr(comma + 1));
    }
    if (hex.starts_with('"')) {
        if (hex.size() < 2 || !hex.ends_with('"')) {
            return fail(Errc::Malformed, "answer of the modem without its closing quote");
        }
        hex = trimmed(hex.substr(1, hex.size() - 2));
    }
    // TS 27.007 clause 8.17 counts characters; some modems count octets.
    if (length && *length != hex.size() && *length * 2 != hex.size()) {
        return fail(Errc::Malformed, "answer of the modem that is not as long as it says");
    }
    if (hex.size() > kLongestApdu * 2) {
        return fail(Errc::Malformed, "answer of the modem longer than an APDU");
    }
    return secret_from_hex(hex);
}

Result<std::uint32_t> parse_at_session(std::string_view payload) {
    auto text = trimmed(payload);
    if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"')) {
        text = text.substr(1, text.size() - 2);
    }
    const auto session = number<std::uint32_t>(text);
    if (!session) {
        return fail(Errc::Malformed, "session of the modem that is no number");
    }
    return *session;
}

std::unexpected<Error> cme_error(std::uint16_t code, std::string what) {
    const auto* row = std::ranges::find(kCmeRows, code, &CmeRow::code);
    if (row == kCmeRows.end()) {
        return fail(Errc::CardFailed, std::move(what) + ": +CME ERROR", code);
    }
    return fail(row->errc, std::move(what) + ": " + std::string(row->text), code);
}

} // namespace mtkey::uicc
