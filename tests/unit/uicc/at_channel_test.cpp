// SPDX-License-Identifier: Apache-2.0
// The modem back end over a pseudo-terminal, with a modem that plays a script.
#include "base/encoding.hpp"
#include "pty_modem.hpp"
#include "uicc/at_channel.hpp"

#include <gtest/gtest.h>
#include <sys/file.h>

namespace mtkey::uicc {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto kOk = "\r\nOK\r\n";
// What AT+CSIM is tried with.
constexpr auto kStatus = "AT+CSIM=10,\"80F2000C00\"";
constexpr auto kStatusOk = "\r\n+CSIM: 4,\"9000\"\r\n\r\nOK\r\n";

class AtChannelTest : public ::testing::Test {
protected:
    [[nodiscard]] AtPortOptions options() {
        AtPortOptions options;
        options.device = modem.device();
        options.greeting_limit = milliseconds(200);
        options.answer_limit = milliseconds(100);
        options.now = [this] { return now; };
        return options;
    }
    AtPort open_port() {
        auto port = AtPort::open(options());
        EXPECT_TRUE(port) << describe(port.error());
        return std::move(port).value();
    }
    AtChannel open_csim(AtPort& port) {
        modem.hear(kStatus, kStatusOk);
        AtChannelOptions wanted;
        wanted.access = AtAccess::Csim;
        auto channel = AtChannel::open(port, wanted);
        EXPECT_TRUE(channel) << describe(channel.error());
        return std::move(channel).value();
    }
    void TearDown() override { EXPECT_EQ(modem.trouble(), ""); }

    test::PtyModem modem;
    steady_clock::time_point now{};
};

CommandApdu select_mf() {
    CommandApdu command;
    command.ins = 0xA4;
    command.p2 = 0x0C;
    const Bytes mf{0x3F, 0x00};
    command.data = SecretBytes(mf);
    return command;
}

std::string text_of(const Result<ResponseApdu>& response) {
    return response ? to_hex(response->data.reveal()) + " " + std::to_string(response->sw)
                    : std::string(info(response.error().code).name);
}

TEST_F(AtChannelTest, csim_passes_a_command_on) {
    auto port = open_port();
    auto channel = open_csim(port);
    modem.hear("AT+CSIM=14,\"00A4000C023F00\"", "\r\n+CSIM: 4,\"9000\"\r\n\r\nOK\r\n");
    EXPECT_EQ(text_of(channel.transmit(select_mf())), " 36864");
    EXPECT_EQ(channel.apdu_count(), 1U);
}

TEST_F(AtChannelTest, echo_and_unsolicited_lines_do_no_harm) {
    modem.set_echo(true);
    modem.say("\r\nRDY\r\n\r\n+CSIM: 4,\"6F00\"\r\nOK\r\n"); // old stuff
    auto port = open_port();
    auto channel = open_csim(port);
    modem.hear("AT+CSIM=14,\"00A4000C023F00\"",
               "\r\n+CREG: 2\r\n\r\n+CSIM: 4,\"9000\"\r\n\r\nRING\r\n\r\nOK\r\n\r\nRING\r\n");
    EXPECT_EQ(text_of(channel.transmit(select_mf())), " 36864");
    modem.hear("AT+CSIM=14,\"00A4000C023F00\"", "\r\n+CSIM: 4,\"6A82\"\r\n\r\nOK\r\n");
    EXPECT_EQ(text_of(channel.transmit(select_mf())), " 27266");
}

TEST_F(AtChannelTest, get_response_and_length_are_followed) {
    auto port = open_port();
    auto channel = open_csim(port);
    CommandApdu read;
    read.ins = 0xB0;
    read.le = 256;
    modem.hear("AT+CSIM=10,\"00B0000000\"", "+CSIM: 4,\"6C04\"\r\nOK\r\n");
    modem.hear("AT+CSIM=10,\"00B0000004\"", "+CSIM: 12,\"112233449000\"\r\nOK\r\n");
    EXPECT_EQ(text_of(channel.transmit(read)), "11223344 36864");
    auto select = select_mf();
    select.p2 = 0x04;
    select.le = 256;
    modem.hear("AT+CSIM=14,\"00A40004023F00\"", "+CSIM: 4,\"6102\"\r\nOK\r\n");
    modem.hear("AT+CSIM=10,\"00C0000002\"", "+CSIM: 8,\"62009000\"\r\nOK\r\n");
    EXPECT_EQ(text_of(channel.transmit(select)), "6200 36864");
    // Some modems fetch it themselves.
    modem.hear("AT+CSIM=14,\"00A40004023F00\"", "+CSIM: 8,\"62009000\"\r\nOK\r\n");
    EXPECT_EQ(text_of(channel.transmit(select)), "6200 36864");
}

TEST_F(AtChannelTest, a_session_has_its_own_name_and_is_closed) {
    auto port = open_port();
    modem.hear("AT+CCHO=\"A0000000871002\"", "\r\n+CCHO: 257\r\n\r\nOK\r\n");
    {
        auto channel = AtChannel::open(port);
        ASSERT_TRUE(channel) << describe(channel.error());
        EXPECT_EQ(channel->session(), 257U);
        // The class octet stays that of the basic channel: the modem writes the number into it.
        modem.hear("AT+CGLA=257,14,\"00A4000C023F00\"", "+CGLA: 4,\"9000\"\r\nOK\r\n");
        EXPECT_EQ(text_of(channel->transmit(select_mf())), " 36864");
        modem.hear("AT+CCHC=257", "\r\n+CCHC\r\nOK\r\n");
    }
    modem.hear("AT+CCHO=\"A0000000871002\"", "\r\n1\r\n\r\nOK\r\n");
    modem.hear("AT+CCHC=1", kOk);
    auto bare = AtChannel::open(port);
    ASSERT_TRUE(bare);
    EXPECT_EQ(bare->session(), 1U);
}

TEST_F(AtChannelTest, without_sessions_there_is_csim) {
    auto port = open_port();
    modem.hear("AT+CCHO=\"A0000000871002\"", "\r\n+CME ERROR: 4\r\n");
    modem.hear(kStatus, kStatusOk);
    auto channel = AtChannel::open(port);
    ASSERT_TRUE(channel) << describe(channel.error());
    EXPECT_FALSE(channel->session());

    modem.hear("AT+CCHO=\"A0000000871002\"", "\r\nERROR\r\n");
    modem.hear(kStatus, "\r\nERROR\r\n");
    EXPECT_EQ(AtChannel::open(port).error().code, Errc::Rejected);

    // No card is no card: AT+CSIM is not tried.
    modem.hear("AT+CCHO=\"A0000000871002\"", "\r\n+CME ERROR: SIM not inserted\r\n");
    EXPECT_EQ(AtChannel::open(port).error().code, Errc::NoCard);

    AtChannelOptions only_session;
    only_session.access = AtAccess::Session;
    modem.hear("AT+CCHO=\"A0000000871002\"", "\r\n+CME ERROR: 20\r\n");
    EXPECT_EQ(AtChannel::open(port, only_session).error().code, Errc::LimitExceeded);
}

TEST_F(AtChannelTest, a_bad_answer_is_the_cards_fault_and_tells_no_octets) {
    auto port = open_port();
    auto channel = open_csim(port);
    for (const auto* says :
         {"OK\r\n", "+CSIM: 0,\"\"\r\nOK\r\n", "+CSIM: 2,\"90\"\r\nOK\r\n",
          "+CSIM: 6,\"9000\"\r\nOK\r\n", "+CSIM: nonsense\r\nOK\r\n", "ERROR\r\n",
          "+CME ERROR: 00A4000C023F00\r\n", "+CSIM: 4,\"9000\"\r\n+CSIM: 4,\"9000\"\r\nOK\r\n"}) {
        modem.hear("AT+CSIM=14,\"00A4000C023F00\"", says);
        const auto response = channel.transmit(select_mf());
        ASSERT_FALSE(response) << says;
        EXPECT_EQ(response.error().code, Errc::CardFailed) << says;
        EXPECT_EQ(response.error().context.find("3F00"), std::string::npos)
            << response.error().context;
    }
}

TEST_F(AtChannelTest, cme_errors_keep_their_meaning) {
    auto port = open_port();
    auto channel = open_csim(port);
    modem.hear("AT+CSIM=14,\"00A4000C023F00\"", "+CME ERROR: 10\r\n");
    EXPECT_EQ(text_of(channel.transmit(select_mf())), "NoCard");
    modem.hear("AT+CSIM=14,\"00A4000C023F00\"", "+CME ERROR: SIM PIN required\r\n");
    const auto response = channel.transmit(select_mf());
    EXPECT_EQ(text_of(response), "PinRequired");
    EXPECT_EQ(response.error().context, modem.device() + ": AT+CSIM: SIM PIN required");
}

TEST_F(AtChannelTest, a_late_answer_is_not_taken_for_the_next_one) {
    auto port = open_port();
    auto channel = open_csim(port);
    modem.hear("AT+CSIM=14,\"00A4000C023F00\"", "");
    const auto begin = steady_clock::now();
    EXPECT_EQ(text_of(channel.transmit(select_mf())), "TimedOut");
    EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(2));
    // The late one comes in front of what is asked to find it.
    modem.hear("AT+CMEE?", "\r\n+CSIM: 4,\"6F00\"\r\n\r\nOK\r\n\r\n+CMEE: 1\r\n\r\nOK\r\n");
    modem.hear("AT+CSIM=14,\"00A4000C023F00\"", "+CSIM: 4,\"9000\"\r\nOK\r\n");
    EXPECT_EQ(text_of(channel.transmit(select_mf())), " 36864");
}

TEST_F(AtChannelTest, a_modem_that_stays_silent_gets_no_command) {
    auto port = open_port();
    auto channel = open_csim(port);
    modem.hear("AT+CSIM=14,\"00A4000C023F00\"", "");
    EXPECT_EQ(text_of(channel.transmit(select_mf())), "TimedOut");
    modem.hear("AT+CMEE?", "");
    EXPECT_EQ(text_of(channel.transmit(select_mf())), "TimedOut");
    // One that does not know +CMEE and is awake is as good.
    modem.hear("AT+CMEE?", "\r\nERROR\r\n");
    modem.hear("AT+CSIM=14,\"00A4000C023F00\"", "+CSIM: 4,\"9000\"\r\nOK\r\n");
    EXPECT_EQ(text_of(channel.transmit(select_mf())), " 36864");
}

TEST_F(AtChannelTest, half_an_answer_and_an_endless_one_end) {
    auto port = open_port();
    auto channel = open_csim(port);
    modem.hear("AT+CSIM=14,\"00A4000C023F00\"", "+CSIM: 4,\"90");
    EXPECT_EQ(text_of(channel.transmit(select_mf())), "TimedOut");
    modem.hear("AT+CMEE?", "00\"\r\nOK\r\n+CMEE: 1\r\nOK\r\n");
    std::string chatter;
    while (chatter.size() < 9000) {
        chatter += "^RSSI: 11\r\n";
    }
    modem.hear("AT+CSIM=14,\"00A4000C023F00\"", chatter);
    EXPECT_EQ(text_of(channel.transmit(select_mf())), "CardFailed");
}

TEST_F(AtChannelTest, a_modem_that_was_away_is_another_time) {
    auto port = open_port();
    auto channel = open_csim(port);
    EXPECT_EQ(port.generation(), 1U);
    modem.hear("AT+CSIM=14,\"00A4000C023F00\"", "hang up");
    EXPECT_EQ(text_of(channel.transmit(select_mf())), "NoReader");
    modem.pull_out();
    EXPECT_EQ(text_of(channel.transmit(select_mf())), "NoReader"); // tried, not there
    modem.plug_in();
    EXPECT_EQ(text_of(channel.transmit(select_mf())), "NoReader"); // too early to try again
    now += milliseconds(201);
    EXPECT_EQ(text_of(channel.transmit(select_mf())), "NoCard"); // back, but not as it was
    EXPECT_EQ(text_of(channel.transmit(select_mf())), "NoCard");
    EXPECT_EQ(port.generation(), 2U);
    auto fresh = open_csim(port);
    modem.hear("AT+CSIM=14,\"00A4000C023F00\"", "+CSIM: 4,\"9000\"\r\nOK\r\n");
    EXPECT_EQ(text_of(fresh.transmit(select_mf())), " 36864");
}

TEST_F(AtChannelTest, the_waits_between_attempts_grow_to_five_seconds) {
    auto port = open_port();
    auto channel = open_csim(port);
    modem.hear("AT+CSIM=14,\"00A4000C023F00\"", "hang up");
    EXPECT_EQ(text_of(channel.transmit(select_mf())), "NoReader");
    modem.pull_out();
    // now +0: tried; each following attempt fails and doubles the wait.
    EXPECT_EQ(text_of(channel.transmit(select_mf())), "NoReader");
    for (const int wait : {200, 400, 800, 1600, 3200, 5000, 5000}) {
        now += milliseconds(wait - 1);
        const auto early = port.make_ready();
        ASSERT_FALSE(early);
        EXPECT_NE(early.error().context.find("waiting"), std::string::npos) << wait;
        now += milliseconds(1);
        const auto tried = port.make_ready();
        ASSERT_FALSE(tried);
        EXPECT_EQ(tried.error().context.find("waiting"), std::string::npos) << wait;
    }
}

TEST_F(AtChannelTest, the_port_is_locked_and_says_who_holds_it) {
    auto port = open_port();
    const auto second = AtPort::open(options());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::ReaderBusy);
    EXPECT_NE(second.error().context.find("process " + std::to_string(::getpid())),
              std::string::npos)
        << second.error().context;
}

TEST_F(AtChannelTest, what_is_no_modem_is_told_apart) {
    auto options = this->options();
    options.device = "/nonexistent/tty";
    EXPECT_EQ(AtPort::open(options).error().code, Errc::NoReader);
    options.device = "/dev/null";
    EXPECT_EQ(AtPort::open(options).error().code, Errc::NoReader);
    options = this->options();
    options.baud = 12345;
    EXPECT_EQ(AtPort::open(options).error().code, Errc::InvalidArgument);
    modem.set_dead(true);
    options = this->options();
    options.greeting_limit = milliseconds(20);
    const auto silent = AtPort::open(options);
    ASSERT_FALSE(silent);
    EXPECT_EQ(silent.error().code, Errc::TimedOut);
    EXPECT_NE(silent.error().context.find("AT port"), std::string::npos);
}

TEST_F(AtChannelTest, a_greeting_survives_half_a_line_of_others) {
    modem.hear("ATE0Q0V1", "\r\nERROR\r\n");
    auto port = open_port();
    EXPECT_TRUE(port.connected());
}

TEST_F(AtChannelTest, a_modem_that_takes_one_setting_a_line_is_a_modem) {
    modem.hear("ATE0Q0V1", "\r\n+CME ERROR: 4\r\n").hear("ATE0Q0V1", "\r\n+CME ERROR: 4\r\n");
    modem.hear("ATE0", kOk);
    EXPECT_TRUE(open_port().connected());
    // Even one that refuses them all.
    modem.hear("ATE0Q0V1", "\r\nERROR\r\n").hear("ATE0Q0V1", "\r\nERROR\r\n");
    modem.hear("ATE0", "\r\nERROR\r\n");
    EXPECT_TRUE(open_port().connected());
}

} // namespace
} // namespace mtkey::uicc
