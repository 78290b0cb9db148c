// SPDX-License-Identifier: Apache-2.0
#include "uicc/transmit.hpp"

#include "fakes/scripted_card.hpp"

#include <gtest/gtest.h>

namespace mtkey::uicc {
namespace {

class TransmitTest : public testing::Test {
protected:
    Result<ResponseApdu> send(Protocol protocol, const std::string& command) {
        const auto octets = *from_hex(command);
        return transmit(card_, protocol, *parse_command(octets),
                        [this](std::chrono::milliseconds time) { slept_ += time; });
    }
    void expect(const Result<ResponseApdu>& response, const std::string& data, unsigned sw) {
        ASSERT_TRUE(response) << describe(response.error());
        EXPECT_EQ(to_hex(response->data.reveal()), data);
        EXPECT_EQ(response->sw, sw);
    }
    void TearDown() override { EXPECT_TRUE(card_.finished()) << card_.trouble(); }

    test::ScriptedRawCard card_;
    std::chrono::milliseconds slept_{0};
};

TEST_F(TransmitTest, T0FormsOfTheFourCases) {
    card_.expect("80f2010c 00", "9000");
    expect(send(Protocol::T0, "80f2010c"), "", 0x9000);
    card_.expect("00b0000002", "aabb9000");
    expect(send(Protocol::T0, "00b0000002"), "aabb", 0x9000);
    card_.expect("00a4000c022fe2", "9000");
    expect(send(Protocol::T0, "00a4000c022fe2"), "", 0x9000);
    card_.expect("00a40004022fe2", "9000"); // no Le
    expect(send(Protocol::T0, "00a40004022fe200"), "", 0x9000);
}

TEST_F(TransmitTest, T1SendsCommandsAsTheyAre) {
    card_.expect("80f2010c", "9000");
    expect(send(Protocol::T1, "80f2010c"), "", 0x9000);
    card_.expect("00a40004022fe200", "62009000");
    expect(send(Protocol::T1, "00a40004022fe200"), "6200", 0x9000);
}

TEST_F(TransmitTest, GetResponseAfter61) {
    card_.expect("0088008402aabb", "6103");
    card_.expect("00c0000003", "0102039000");
    expect(send(Protocol::T0, "0088008402aabb00"), "010203", 0x9000);
}

TEST_F(TransmitTest, ChainOfGetResponseIsJoined) {
    card_.expect("00a40004022fe2", "aa6102");
    card_.expect("00c0000002", "01026101");
    card_.expect("00c0000001", "036100");
    card_.expect("00c0000000", "04059000");
    expect(send(Protocol::T0, "00a40004022fe200"), "aa0102030405", 0x9000);
}

TEST_F(TransmitTest, GetResponseWithAnotherLength) {
    card_.expect("00a40004022fe2", "6100");
    card_.expect("00c0000000", "6c02");
    card_.expect("00c0000002", "01029000");
    expect(send(Protocol::T0, "00a40004022fe200"), "0102", 0x9000);
}

TEST_F(TransmitTest, GetResponseStaysOnTheChannel) {
    card_.expect("83f2000c00", "6101");
    card_.expect("03c0000001", "aa9000");
    expect(send(Protocol::T0, "83f2000c00"), "aa", 0x9000);
    card_.expect("c5f2000c00", "6101");
    card_.expect("45c0000001", "bb9000");
    expect(send(Protocol::T0, "c5f2000c00"), "bb", 0x9000);
    card_.expect("a0a40000023f00", "9f02");
    card_.expect("a0c0000002", "01029000");
    expect(send(Protocol::T0, "a0a40000023f0000"), "0102", 0x9000);
}

TEST_F(TransmitTest, WarningWithDataToFetch) {
    card_.expect("00cb800001aa", "62f1");
    card_.expect("00c0000000", "bbcc62f3");
    card_.expect("00c0000000", "dd9000");
    expect(send(Protocol::T0, "00cb800001aa00"), "bbccdd", 0x9000);
}

TEST_F(TransmitTest, DataBehindAWarning) {
    card_.expect("00a40004022fe2", "6283")
        .expect("00c0000000", "6c02")
        .expect("00c0000002", "62009000");
    expect(send(Protocol::T0, "00a40004022fe200"), "6200", 0x6283);
    card_.expect("0088008402aabb", "6300")
        .expect("00c0000000", "aa6101")
        .expect("00c0000001", "bb9000");
    expect(send(Protocol::T0, "0088008402aabb00"), "aabb", 0x6300);
    // There may be none.
    card_.expect("00a40004022fe2", "6283").expect("00c0000000", "6f00");
    expect(send(Protocol::T0, "00a40004022fe200"), "", 0x6283);
    // Nothing to ask for: it came along, no answer was expected, another protocol, a counter.
    card_.expect("00a40004022fe2", "62006283");
    expect(send(Protocol::T0, "00a40004022fe200"), "6200", 0x6283);
    card_.expect("00b0000002", "aa6282");
    expect(send(Protocol::T0, "00b0000002"), "aa", 0x6282);
    card_.expect("00d6000001aa", "6381");
    expect(send(Protocol::T0, "00d6000001aa"), "", 0x6381);
    card_.expect("00a40004022fe200", "6283");
    expect(send(Protocol::T1, "00a40004022fe200"), "", 0x6283);
    card_.expect("0088008402aabb", "63c1");
    expect(send(Protocol::T0, "0088008402aabb00"), "", 0x63C1);
}

TEST_F(TransmitTest, LeIsCorrectedOnce) {
    card_.expect("00b2010400", "6c05");
    card_.expect("00b2010405", "01020304059000");
    expect(send(Protocol::T0, "00b2010400"), "0102030405", 0x9000);
    card_.expect("00b2010400", "6c05");
    card_.expect("00b2010405", "6c06");
    expect(send(Protocol::T0, "00b2010400"), "", 0x6C06);
    card_.expect("00a40004022fe200", "6c02");
    card_.expect("00a40004022fe202", "aabb9000");
    expect(send(Protocol::T1, "00a40004022fe200"), "aabb", 0x9000);
}

TEST_F(TransmitTest, CommandWithDataAndWithoutLeIsNeverSentAgain) {
    card_.expect("0088008402aabb", "6c10");
    expect(send(Protocol::T0, "0088008402aabb00"), "", 0x6C10);
    card_.expect("00d6001102aabb", "6c10");
    expect(send(Protocol::T1, "00d6001102aabb"), "", 0x6C10);
}

TEST_F(TransmitTest, ReaderThatFetchesByItself) {
    card_.expect("00a40004022fe2", "62009000");
    expect(send(Protocol::T0, "00a40004022fe200"), "6200", 0x9000);
}

TEST_F(TransmitTest, DataThatLooksLikeAStatusWord) {
    card_.expect("00a40004022fe2", "622f61009000");
    expect(send(Protocol::T0, "00a40004022fe200"), "622f6100", 0x9000);
}

TEST_F(TransmitTest, ProactiveCommandIsLeftThere) {
    card_.expect("00d6001101aa", "9110");
    expect(send(Protocol::T0, "00d6001101aa"), "", 0x9110);
}

TEST_F(TransmitTest, SelectSucceedsEvenWhenItsAnswerCannotBeFetched) {
    card_.expect("00a40004022fe2", "6120");
    card_.expect("00c0000020", "6f00");
    expect(send(Protocol::T0, "00a40004022fe200"), "", 0x9000);
    card_.expect("0088008402aabb", "6120");
    card_.expect("00c0000020", "6f00");
    expect(send(Protocol::T0, "0088008402aabb00"), "", 0x6F00);
}

TEST_F(TransmitTest, BusyCardIsAskedAgain) {
    card_.expect("00b0000001", "9300");
    card_.expect("00b0000001", "9300");
    card_.expect("00b0000001", "aa9000");
    expect(send(Protocol::T0, "00b0000001"), "aa", 0x9000);
    EXPECT_EQ(slept_, std::chrono::milliseconds(1000));
}

TEST_F(TransmitTest, BusyCardIsGivenUp) {
    for (int i = 0; i < 11; ++i) {
        card_.expect("00b0000001", "9300");
    }
    expect(send(Protocol::T0, "00b0000001"), "", 0x9300);
    EXPECT_EQ(slept_, std::chrono::milliseconds(5000));
}

TEST_F(TransmitTest, AnswerWithoutStatusWord) {
    for (const auto* answer : {"", "90"}) {
        card_.expect("00b0000001", answer);
        const auto response = send(Protocol::T0, "00b0000001");
        ASSERT_FALSE(response);
        EXPECT_EQ(response.error().code, Errc::CardFailed);
    }
}

TEST_F(TransmitTest, AnswerThatIsTooLong) {
    card_.expect("00b0000000", std::string(257 * 2, 'a') + "9000");
    const auto response = send(Protocol::T0, "00b0000000");
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::CardFailed);
}

TEST_F(TransmitTest, ErrorsOfTheReaderComeThrough) {
    card_.expect_error("00b0000001", Errc::NoCard, 0x80100069);
    const auto at_once = send(Protocol::T0, "00b0000001");
    ASSERT_FALSE(at_once);
    EXPECT_EQ(at_once.error().code, Errc::NoCard);
    card_.expect("00a40004022fe2", "6102");
    card_.expect_error("00c0000002", Errc::CardFailed);
    EXPECT_FALSE(send(Protocol::T0, "00a40004022fe200"));
}

TEST_F(TransmitTest, CommandsBeyondTheShortFormAreRefused) {
    CommandApdu long_data;
    long_data.data = SecretBytes(256);
    CommandApdu no_le;
    no_le.le = 0;
    CommandApdu long_le;
    long_le.le = 257;
    for (const auto* command : {&long_data, &no_le, &long_le}) {
        const auto response = transmit(card_, Protocol::T1, *command, sleep_for_real);
        ASSERT_FALSE(response);
        EXPECT_EQ(response.error().code, Errc::InvalidArgument);
    }
}

/// Answers everything in the same way, for ever.
class EndlessCard final : public RawCard {
public:
    explicit EndlessCard(std::string answer) : answer_(std::move(answer)) {}
    Result<SecretBytes> exchange(ByteView) override {
        ++count;
        return secret_from_hex(answer_);
    }
    unsigned count = 0;

private:
    std::string answer_;
};

TEST(EndlessCardTest, ChainsEnd) {
    for (const auto& answer :
         {std::string("6100"), std::string("61ff"), std::string("aa6101"), std::string("62f1"),
          std::string("9f10"), std::string(512, 'b') + "6100"}) {
        EndlessCard card(answer);
        CommandApdu select;
        select.ins = 0xA4;
        select.le = 256;
        const auto response = transmit(card, Protocol::T0, select, [](auto) {});
        ASSERT_FALSE(response) << answer.substr(0, 10);
        EXPECT_EQ(response.error().code, Errc::CardFailed);
        EXPECT_LE(card.count, 257U);
    }
}

TEST(EndlessCardTest, CorrectionsOfLeEnd) {
    EndlessCard card("6c00");
    CommandApdu read;
    read.ins = 0xB0;
    read.le = 256;
    const auto response = transmit(card, Protocol::T0, read, [](auto) {});
    ASSERT_TRUE(response);
    EXPECT_EQ(response->sw, 0x6C00);
    EXPECT_EQ(card.count, 2U);
}

} // namespace
} // namespace mtkey::uicc
