// SPDX-License-Identifier: Apache-2.0
#include "uicc/at_channel.hpp"

#include <algorithm>
#include <string>

namespace mtkey::uicc {
namespace {

/// `head` "hex" CR, with no copy of the digits outside the secure heap.
SecretBytes line_with_hex(std::string_view head, ByteView octets) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    SecretBytes line(head.size() + octets.size() * 2 + 3);
    auto out = std::ranges::copy(as_octets(head), line.reveal_writable().begin()).out;
    *out++ = '"';
    for (const auto octet : octets) {
        *out++ = static_cast<std::uint8_t>(kDigits[octet >> 4]);
        *out++ = static_cast<std::uint8_t>(kDigits[octet & 0x0F]);
    }
    *out++ = '"';
    *out = '\r';
    return line;
}

Result<std::uint32_t> open_session(AtPort& port, ByteView aid) {
    if (aid.empty() || aid.size() > 16) {
        return fail(Errc::InvalidArgument, "an AID has 1 to 16 octets");
    }
    const auto answer = MTKEY_TRY(port.ask({"AT+CCHO",
                                            line_with_hex("AT+CCHO=", aid),
                                            {"+CCHO:", true},
                                            port.options().answer_limit}));
    if (!answer) {
        return fail(Errc::CardFailed, port.options().device + ": AT+CCHO gave no session");
    }
    return parse_at_session(as_text(answer->reveal()));
}

/// STATUS without an answer, which changes nothing: many modems that know the command do not know
/// its test form.
Result<void> expect_csim(AtPort& port) {
    constexpr std::string_view kStatus = "AT+CSIM=10,\"80F2000C00\"\r";
    const auto answer = port.ask({"AT+CSIM",
                                  SecretBytes(as_octets(kStatus)),
                                  {"+CSIM:", false},
                                  port.options().answer_limit});
    if (!answer && !is_final_at_error(answer.error().code)) {
        return fail(Errc::Rejected,
                    answer.error().context + "; this port of the modem gives no access to its card",
                    answer.error().detail);
    }
    if (!answer) {
        return std::unexpected(answer.error());
    }
    return {};
}

/// A modem that refuses an APDU in an open channel has lost the channel, whatever words it has for
/// that: those of its caller's mistakes among them.
Error as_lost_channel(Error error) {
    switch (error.code) {
    case Errc::Rejected:
    case Errc::InvalidArgument:
    case Errc::NotFound:
    case Errc::LimitExceeded:
        error.code = Errc::CardFailed;
        break;
    default:
        break;
    }
    return error;
}
} // namespace

bool is_final_at_error(Errc code) {
    switch (code) {
    case Errc::NoReader:
    case Errc::NoCard:
    case Errc::ReaderBusy:
    case Errc::TimedOut:
    case Errc::PinRequired:
    case Errc::PinBlocked:
        return true;
    default:
        return false;
    }
}

Result<AtChannel> AtChannel::open(AtPort& port, const AtChannelOptions& options) {
    if (options.access != AtAccess::Csim) {
        const auto session = open_session(port, options.aid);
        if (session) {
            return AtChannel(port, *session, options.protocol);
        }
        if (options.access == AtAccess::Session || is_final_at_error(session.error().code)) {
            return std::unexpected(session.error());
        }
    }
    MTKEY_CHECK(expect_csim(port));
    return AtChannel(port, std::nullopt, options.protocol);
}

AtChannel::~AtChannel() {
    // A modem that was away has forgotten the session, or given its number to somebody else.
    if (port_ != nullptr && session_ && port_->connected() && port_->generation() == generation_) {
        const auto line = "AT+CCHC=" + std::to_string(*session_) + "\r";
        static_cast<void>(port_->ask(
            {"AT+CCHC", SecretBytes(as_octets(line)), {}, port_->options().greeting_limit}));
    }
}

Result<ResponseApdu> AtChannel::transmit(const CommandApdu& command) {
    return uicc::transmit(*this, protocol_, command, sleep_for_real);
}

Result<SecretBytes> AtChannel::exchange(ByteView command) {
    if (port_ == nullptr) {
        return fail(Errc::Internal, "channel that was moved away");
    }
    MTKEY_CHECK(port_->make_ready());
    if (port_->generation() != generation_) {
        return fail(Errc::NoCard, port_->options().device + ": the modem was away");
    }
    const auto length = std::to_string(command.size() * 2);
    const auto head = session_ ? "AT+CGLA=" + std::to_string(*session_) + "," + length + ","
                               : "AT+CSIM=" + length + ",";
    const AtCommand line{session_ ? "AT+CGLA" : "AT+CSIM",
                         line_with_hex(head, command),
                         {session_ ? "+CGLA:" : "+CSIM:", false},
                         port_->options().answer_limit};
    ++count_;
    const auto what = [&] { return port_->options().device + ": " + std::string(line.name); };
    const auto answer = port_->ask(line);
    if (!answer) {
        return std::unexpected(as_lost_channel(answer.error()));
    }
    if (!*answer) {
        return fail(Errc::CardFailed, what() + ": OK without an answer of the card");
    }
    auto octets = parse_at_apdu(as_text((*answer)->reveal()));
    if (!octets) {
        return fail(Errc::CardFailed, what() + ": " + octets.error().context);
    }
    return octets;
}

} // namespace mtkey::uicc
