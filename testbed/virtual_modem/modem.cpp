// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_modem/modem.hpp"

#include "base/encoding.hpp"
#include "testbed/virtual_modem/at_text.hpp"

#include <algorithm>
#include <utility>

namespace mtkey::testbed {
namespace {

constexpr std::uint8_t kGetResponse = 0xC0;
constexpr unsigned kMostParts = 64;
const Bytes kUsimAid{0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02};

std::uint16_t status_of(ByteView answer) {
    return answer.size() < 2 ? std::uint16_t{0}
                             : static_cast<std::uint16_t>(answer[answer.size() - 2] << 8 |
                                                          answer[answer.size() - 1]);
}

bool is_good(std::uint16_t sw) {
    return sw == sw::kOk || (sw >> 8) == 0x91;
}

/// The class octet of a logical channel (TS 102 221 clause 10.1.1); the modem knows the channel,
/// its user only the session.
std::uint8_t on_channel(std::uint8_t cla, unsigned channel) {
    const std::uint8_t kind = cla & 0x80;
    return static_cast<std::uint8_t>(channel < 4 ? kind | channel : kind | 0x40 | (channel - 4));
}

Bytes select_by_name(std::uint8_t cla, std::uint8_t p2, ByteView aid) {
    Bytes out{cla, 0xA4, 0x04, p2, static_cast<std::uint8_t>(aid.size())};
    append(out, aid);
    return out;
}

} // namespace

enum class Modem::Cme : unsigned {
    NotAllowed = 3,
    NotSupported = 4,
    NoCard = 10,
    PinRequired = 11,
    PukRequired = 12,
    CardFailure = 13,
    WrongPassword = 16,
    NoRoom = 20,
    WrongIndex = 21,
    NotFound = 22,
    WrongParameters = 50,
};

Modem::Modem(const ModemProfile& profile, Slot& slot)
    : profile_(profile),
      slot_(slot),
      echo_(profile.echo),
      errors_(profile.errors),
      power_ups_(slot.power_ups()),
      next_session_(profile.first_session) {}

std::string Modem::error_text(Cme code) const {
    static const std::map<Cme, std::string_view> words{
        {Cme::NotAllowed, "operation not allowed"},
        {Cme::NotSupported, "operation not supported"},
        {Cme::NoCard, "SIM not inserted"},
        {Cme::PinRequired, "SIM PIN required"},
        {Cme::PukRequired, "SIM PUK required"},
        {Cme::CardFailure, "SIM failure"},
        {Cme::WrongPassword, "incorrect password"},
        {Cme::NoRoom, "memory full"},
        {Cme::WrongIndex, "invalid index"},
        {Cme::NotFound, "not found"},
        {Cme::WrongParameters, "Incorrect parameters"}};
    if (errors_ == 0) {
        return "ERROR";
    }
    return "+CME ERROR: " + (errors_ == 1 ? std::to_string(static_cast<unsigned>(code))
                                          : std::string(words.at(code)));
}

const std::vector<Modem::Command>& Modem::commands() {
    static const std::vector<Command> table{{"+CPIN?", &Modem::pin_state},
                                            {"+CPIN=", &Modem::enter_pin},
                                            {"+CSIM=", &Modem::generic_access},
                                            {"+CCHO=", &Modem::open_session},
                                            {"+CGLA=", &Modem::session_access},
                                            {"+CCHC=", &Modem::close_session},
                                            {"+CIMI", &Modem::imsi},
                                            {"+CCID", &Modem::iccid},
                                            {"+CCID?", &Modem::iccid},
                                            {"+ICCID", &Modem::iccid},
                                            {"+ICCID?", &Modem::iccid},
                                            {"+CMEE=", &Modem::report_errors},
                                            {"+CMEE?", &Modem::report_errors}};
    return table;
}

/// Empty lines and what does not start with AT get no answer, as on a modem that looks for AT.
std::string Modem::card_line() const {
    const auto& line = slot_.has_card() ? profile_.inserted_line : profile_.removed_line;
    return line.empty() ? line : "\r\n" + line + "\r\n";
}

ModemAnswer Modem::line(std::string_view line) {
    const auto command = at_command(line);
    if (!command) {
        return {};
    }
    if (++lines_ == profile_.hang_up_at) {
        return {.text = {}, .delay = profile_.delay, .hang_up = true};
    }
    if (std::exchange(power_ups_, slot_.power_ups()) != slot_.power_ups()) {
        sessions_.clear(); // its channels are gone
    }
    silent_ = false;
    card_delay_ = {};
    const auto outcome = execute(*command);
    if (silent_) {
        if (profile_.card_timeout.count() == 0) {
            return {};
        }
        card_delay_ = profile_.card_timeout;
    }
    std::string between;
    std::string extra;
    for (const auto& text : profile_.unsolicited) {
        extra += framed(text);
    }
    using Where = ModemProfile::Where;
    ModemAnswer answer{.text = profile_.unsolicited_at == Where::Before ? extra : std::string(),
                       .delay = profile_.delay + card_delay_};
    if (outcome) {
        for (const auto& text : outcome->lines) {
            answer.text += framed(text);
        }
    }
    answer.text += profile_.unsolicited_at == Where::Between ? extra : std::string();
    answer.text += framed(outcome ? "OK" : error_text(outcome.error()));
    answer.text += profile_.unsolicited_at == Where::After ? extra : std::string();
    return answer;
}

Modem::Outcome Modem::execute(std::string_view command) {
    if (command.empty()) {
        return Information{};
    }
    const std::string upper = upper_case(command);
    if (upper == "E0" || upper == "E1" || upper == "E") {
        echo_ = upper == "E1";
        return Information{};
    }
    const auto fits = [&](const Command& entry) {
        return entry.name.back() == '=' ? upper.starts_with(entry.name) : upper == entry.name;
    };
    const auto found = std::ranges::find_if(commands(), fits);
    const bool of_channels = upper.starts_with("+CCH") || upper.starts_with("+CGLA");
    if (found == commands().end() || (profile_.no_channels && of_channels) ||
        (profile_.no_csim && upper.starts_with("+CSIM"))) {
        return std::unexpected(Cme::NotSupported);
    }
    return (this->*found->handler)(command.substr(found->name.size()));
}

Modem::Outcome Modem::report_errors(std::string_view arguments) {
    if (arguments.empty()) {
        return Information{{"+CMEE: " + std::to_string(errors_)}};
    }
    const auto wanted = unsigned_number(arguments);
    if (!wanted || *wanted > 2) {
        return std::unexpected(Cme::WrongParameters);
    }
    errors_ = *wanted;
    return Information{};
}

std::expected<SecretBytes, Modem::Cme> Modem::exchange(ByteView command, bool follow) {
    if (!slot_.has_card()) {
        return std::unexpected(Cme::NoCard);
    }
    SecretBytes data;
    SecretBytes next(command);
    for (unsigned part = 0; part < kMostParts; ++part) {
        auto [answer, delay] = slot_.transmit(next.reveal());
        card_delay_ += delay;
        if (!answer) {
            silent_ = slot_.has_card();
            return std::unexpected(silent_ ? Cme::CardFailure : Cme::NoCard);
        }
        const ByteView octets = answer->reveal();
        const std::uint16_t sw = status_of(octets);
        const bool more = (sw >> 8) == 0x61;
        const bool again = (sw >> 8) == 0x6C;
        if (octets.size() < 2 || !follow || (!more && !again)) {
            return joined(data.reveal(), octets);
        }
        data = joined(data.reveal(), octets.first(octets.size() - 2));
        const auto length = static_cast<std::uint8_t>(sw & 0xFF);
        if (more) {
            const Bytes response{static_cast<std::uint8_t>(command[0] & 0x7F), kGetResponse, 0, 0,
                                 length};
            next = SecretBytes(response);
        } else {
            next = with_le(next.reveal(), length);
        }
    }
    return std::unexpected(Cme::CardFailure);
}

std::expected<Bytes, Modem::Cme> Modem::own(const Bytes& command) {
    auto answer = exchange(command, true);
    if (!answer) {
        return std::unexpected(answer.error());
    }
    const ByteView octets = answer->reveal();
    const std::uint16_t sw = status_of(octets);
    if (!is_good(sw)) {
        return std::unexpected(sw == sw::kSecurityStatus         ? Cme::PinRequired
                               : sw == sw::kPinBlocked           ? Cme::PukRequired
                               : sw == sw::kFileNotFound         ? Cme::NotFound
                               : sw == sw::kNotSupported         ? Cme::NoRoom
                               : sw == sw::kNoLogicalChannel     ? Cme::NotSupported
                               : (sw & 0xFFF0) == sw::kTriesLeft ? Cme::WrongPassword
                                                                 : Cme::CardFailure);
    }
    return Bytes(octets.begin(), octets.end() - 2);
}

std::string Modem::apdu_line(std::string_view name, ByteView answer) const {
    const std::size_t unsaid =
        profile_.no_status_word ? std::min<std::size_t>(2, answer.size()) : 0;
    std::string hex = to_hex(answer.first(answer.size() - unsaid));
    if (!profile_.lower_case) {
        hex = upper_case(hex);
    }
    const bool bare = profile_.quoting == ModemProfile::Quoting::Bare;
    const std::string quote = bare ? "" : "\"";
    return std::string(name) + (profile_.quoting == ModemProfile::Quoting::NoSpace ? ":" : ": ") +
           std::to_string(hex.size()) + "," + quote + hex + quote;
}

/// AT+CSIM (TS 27.007 clause 8.17): the basic channel, as it is.
Modem::Outcome Modem::generic_access(std::string_view arguments) {
    const auto command = apdu_argument(arguments);
    if (!command) {
        return std::unexpected(Cme::WrongParameters);
    }
    const auto answer = exchange(*command, profile_.fetches);
    if (!answer) {
        return std::unexpected(answer.error());
    }
    return Information{{apdu_line("+CSIM", answer->reveal())}};
}

/// AT+CCHO (clause 8.45): a channel of the card with the application selected.
Modem::Outcome Modem::open_session(std::string_view arguments) {
    const auto aid = from_hex(without_quotes(arguments));
    if (!aid || aid->empty() || aid->size() > 16) {
        return std::unexpected(Cme::WrongParameters);
    }
    const auto opened = own({0x00, 0x70, 0x00, 0x00, 0x01});
    if (!opened || opened->size() != 1) {
        return std::unexpected(opened ? Cme::CardFailure : opened.error());
    }
    const unsigned channel = opened->front();
    const auto selected = own(select_by_name(on_channel(0x00, channel), 0x0C, *aid));
    if (!selected) {
        (void)own({0x00, 0x70, 0x80, static_cast<std::uint8_t>(channel)});
        return std::unexpected(selected.error());
    }
    const unsigned session = next_session_++;
    sessions_[session] = channel;
    return Information{{(profile_.bare_session ? "" : "+CCHO: ") + std::to_string(session)}};
}

/// AT+CGLA (clause 8.43): the modem writes the channel into the class octet.
Modem::Outcome Modem::session_access(std::string_view arguments) {
    const auto comma = arguments.find(',');
    const auto session = unsigned_number(arguments.substr(0, comma));
    const auto found = session ? sessions_.find(*session) : sessions_.end();
    if (found == sessions_.end()) {
        return std::unexpected(Cme::WrongIndex);
    }
    auto command =
        comma == std::string_view::npos ? std::nullopt : apdu_argument(arguments.substr(comma + 1));
    if (!command || command->empty()) {
        return std::unexpected(Cme::WrongParameters);
    }
    command->front() = on_channel(command->front(), found->second);
    const auto answer = exchange(*command, profile_.fetches);
    if (!answer) {
        return std::unexpected(answer.error());
    }
    return Information{{apdu_line("+CGLA", answer->reveal())}};
}

/// AT+CCHC (clause 8.46).
Modem::Outcome Modem::close_session(std::string_view arguments) {
    const auto session = unsigned_number(arguments);
    const auto found = session ? sessions_.find(*session) : sessions_.end();
    if (found == sessions_.end()) {
        return std::unexpected(Cme::WrongIndex);
    }
    const auto closed = own({0x00, 0x70, 0x80, static_cast<std::uint8_t>(found->second)});
    sessions_.erase(found);
    if (!closed) {
        return std::unexpected(closed.error());
    }
    return Information{};
}

/// AT+CPIN? (clause 8.3). The modem's own commands run on the basic channel, beside AT+CSIM's.
Modem::Outcome Modem::pin_state(std::string_view) {
    if (const auto usim = own(select_by_name(0x00, 0x0C, kUsimAid)); !usim) {
        return std::unexpected(usim.error());
    }
    const auto query = exchange(Bytes{0x00, 0x20, 0x00, 0x01}, false);
    if (!query) {
        return std::unexpected(query.error());
    }
    // Open is what reads a file behind the PIN, whatever the counter says.
    const auto imsi = read_own(0x6F07, 9);
    if (imsi) {
        return Information{{"+CPIN: READY"}};
    }
    if (imsi.error() != Cme::PinRequired) {
        return std::unexpected(imsi.error());
    }
    const bool blocked = (status_of(query->reveal()) & 0xF) == 0;
    return Information{{blocked ? "+CPIN: SIM PUK" : "+CPIN: SIM PIN"}};
}

Modem::Outcome Modem::enter_pin(std::string_view arguments) {
    const auto digits = without_quotes(arguments);
    if (digits.size() < 4 || digits.size() > 8) {
        return std::unexpected(Cme::WrongParameters);
    }
    if (const auto usim = own(select_by_name(0x00, 0x0C, kUsimAid)); !usim) {
        return std::unexpected(usim.error());
    }
    Bytes verify{0x00, 0x20, 0x00, 0x01, 0x08};
    append(verify, as_octets(digits));
    verify.resize(13, 0xFF);
    const auto done = own(verify);
    wipe(verify);
    if (!done) {
        return std::unexpected(done.error());
    }
    return Information{};
}

std::expected<Bytes, Modem::Cme> Modem::read_own(std::uint16_t fid, std::uint8_t length) {
    const auto selected = own({0x00, 0xA4, 0x00, 0x0C, 0x02, static_cast<std::uint8_t>(fid >> 8),
                               static_cast<std::uint8_t>(fid & 0xFF)});
    if (!selected) {
        return selected;
    }
    return own({0x00, 0xB0, 0x00, 0x00, length});
}

Modem::Outcome Modem::imsi(std::string_view) {
    const auto usim = own(select_by_name(0x00, 0x0C, kUsimAid));
    const auto content = usim ? read_own(0x6F07, 9) : usim;
    if (!content) {
        return std::unexpected(content.error());
    }
    // Behind the length; the first nibble is type and parity.
    const std::string digits =
        content->size() < 2 ? std::string() : swapped_digits(ByteView(*content).subspan(1));
    if (digits.size() < 2) {
        return std::unexpected(Cme::CardFailure);
    }
    return Information{{digits.substr(1)}};
}

Modem::Outcome Modem::iccid(std::string_view) {
    const auto master_file = own({0x00, 0xA4, 0x00, 0x0C, 0x02, 0x3F, 0x00});
    const auto content = master_file ? read_own(0x2FE2, 10) : master_file;
    if (!content) {
        return std::unexpected(content.error());
    }
    return Information{{"+CCID: " + swapped_digits(*content)}};
}

} // namespace mtkey::testbed
