// SPDX-License-Identifier: Apache-2.0
// What a peer may not send, and where.
#include "exchange.hpp"
#include "raw_peer.hpp"

#include <gtest/gtest.h>

namespace mtkey::local {
namespace {

using test::DeviceEnd;
using test::Exchange;
using test::MtEnd;
using test::RawPeer;

class Order : public testing::TestWithParam<Framing> {};
INSTANTIATE_TEST_SUITE_P(Framing, Order, testing::Values(Framing::LengthPrefixed, Framing::Cobs));

struct OrderRow {
    const char* name;
    std::vector<MessageType> legal_before; ///< answered
    MessageType type;
    std::uint8_t channel = 0;
};

Bytes sample_of(MessageType type) {
    for (const auto& sample : test::samples()) {
        if (sample.type == type) {
            return sample.octets;
        }
    }
    return encode_empty();
}

TEST_P(Order, MtKnowsTheOrderOfTheWire) {
    using enum MessageType;
    const std::vector<OrderRow> rows = {
        {"L3 first", {}, EstablishmentRequest},
        {"L3 after RESUME", {Resume}, EstablishmentRequest},
        {"own L2", {KeyInfoRequest}, KeyInfo},
        {"own L4", {KeyInfoRequest, EstablishmentRequest}, EstablishmentAnswer},
        {"own RESUME-ANSWER", {}, ResumeAnswer},
        {"own CONFIRM-ACK", {}, ConfirmAck},
        {"DATA is reserved", {KeyInfoRequest}, Data},
        {"RELAY is reserved", {KeyInfoRequest}, Relay},
        {"unknown type", {}, static_cast<MessageType>(0x7F)},
        {"type 0", {}, static_cast<MessageType>(0)},
        {"channel 1", {}, KeyInfoRequest, 1},
        {"channel 255", {KeyInfoRequest}, Ping, 255},
    };
    for (const auto& row : rows) {
        RawPeer peer(GetParam(), Role::Device);
        MtEnd mt({.framing = GetParam()}, true, BootTime{});
        mt.session.receive(peer.frame(Hello, encode(test::hello(Role::Device))), BootTime{});
        for (const MessageType type : row.legal_before) {
            mt.session.receive(peer.frame(type, sample_of(type)), BootTime{});
            mt.handle_events();
            ASSERT_FALSE(mt.session.finished()) << row.name;
        }
        static_cast<void>(peer.read(mt.session.take_output()));
        const int events = mt.outcome.events;
        mt.session.receive(peer.frame(row.type, sample_of(row.type), row.channel), BootTime{});
        mt.handle_events();
        EXPECT_TRUE(mt.session.finished()) << row.name;
        EXPECT_EQ(mt.outcome.events, events + 1);
        ASSERT_TRUE(mt.outcome.gone) << row.name;
        EXPECT_EQ(mt.outcome.gone->code, Errc::ProtocolViolation) << row.name;
        const auto frames = peer.read(mt.session.take_output());
        ASSERT_EQ(frames.size(), 1U);
        EXPECT_EQ(frames[0].type, static_cast<std::uint8_t>(Error));
        EXPECT_EQ(decode_error(frames[0].payload).value().code, ErrorCode::Protocol);
    }
}

TEST_P(Order, MtTakesOneRequestAtATimeOfOneDevice) {
    using enum MessageType;
    const auto other_device = [](MessageType type) {
        auto request = test::establishment_request(true);
        request.device_id = "urn:uuid:another";
        return type == KeyInfoRequest ? encode(local::KeyInfoRequest{request.device_id})
                                      : encode(request);
    };
    {
        RawPeer peer(GetParam(), Role::Device);
        test::CountingRandom random(1);
        MtSession mt({.framing = GetParam()}, random, std::nullopt, BootTime{});
        Bytes link = peer.frame(Hello, encode(test::hello(Role::Device)));
        append(link, peer.frame(KeyInfoRequest, sample_of(KeyInfoRequest)));
        append(link, peer.frame(KeyInfoRequest, sample_of(KeyInfoRequest)));
        mt.receive(link, BootTime{});
        EXPECT_TRUE(std::holds_alternative<KeyInfoAsked>(mt.next_event().value()));
        EXPECT_EQ(std::get<PeerGone>(mt.next_event().value()).reason.code, Errc::ProtocolViolation);
        mt.answer_key_info(test::key_info(true), BootTime{}); // came too late: nothing happens
        mt.refuse(test::error_message(ErrorCode::Card), BootTime{});
        mt.close();
        EXPECT_FALSE(mt.next_event());
    }
    for (const MessageType type : {KeyInfoRequest, EstablishmentRequest}) {
        RawPeer peer(GetParam(), Role::Device);
        MtEnd mt({.framing = GetParam()}, true, BootTime{});
        for (const Bytes& octets : {peer.frame(Hello, encode(test::hello(Role::Device))),
                                    peer.frame(KeyInfoRequest, sample_of(KeyInfoRequest)),
                                    peer.frame(type, other_device(type))}) {
            mt.session.receive(octets, BootTime{});
            mt.handle_events();
        }
        EXPECT_EQ(mt.outcome.gone.value().code, Errc::ProtocolViolation);
        EXPECT_FALSE(mt.outcome.th_est);
    }
}

TEST_P(Order, MalformedRequestEndsTheConnection) {
    for (const MessageType type :
         {MessageType::Resume, MessageType::KeyInfoRequest, MessageType::Confirm, MessageType::Ping,
          MessageType::Bye, MessageType::Error}) {
        RawPeer peer(GetParam(), Role::Device);
        MtEnd mt({.framing = GetParam()}, true, BootTime{});
        mt.session.receive(peer.frame(MessageType::Hello, encode(test::hello(Role::Device))),
                           BootTime{});
        mt.session.receive(peer.frame(type, test::hex("a10000")), BootTime{});
        mt.handle_events();
        EXPECT_EQ(mt.outcome.gone.value().code, Errc::ProtocolViolation);
        EXPECT_EQ(mt.outcome.events, 1);
    }
}

TEST_P(Order, RequestsArePerConnectionLimited) {
    RawPeer peer(GetParam(), Role::Device);
    MtEnd mt({.framing = GetParam()}, true, BootTime{});
    mt.session.receive(peer.frame(MessageType::Hello, encode(test::hello(Role::Device))),
                       BootTime{});
    int requests = 0;
    for (; !mt.session.finished() && requests < 1000; ++requests) {
        mt.session.receive(
            peer.frame(MessageType::KeyInfoRequest, sample_of(MessageType::KeyInfoRequest)),
            BootTime{});
        mt.handle_events();
    }
    EXPECT_EQ(requests, 65);
}

TEST_P(Order, PingFloodIsAnsweredWithinBounds) {
    RawPeer peer(GetParam(), Role::Device);
    MtEnd mt({.framing = GetParam()}, true, BootTime{});
    Bytes link = peer.frame(MessageType::Hello, encode(test::hello(Role::Device)));
    for (int i = 0; i < 20'000; ++i) {
        append(link, peer.frame(MessageType::Ping, encode_empty()));
    }
    mt.session.receive(link, BootTime{});
    EXPECT_FALSE(mt.session.finished());
    const Bytes out = mt.session.take_output();
    EXPECT_LT(out.size(), 20'000U);
    EXPECT_GT(out.size(), 10'000U);
}

TEST_P(Order, DeviceRefusesWhatItDidNotAskFor) {
    using enum MessageType;
    const std::pair<std::optional<MessageType>, MessageType> rows[] = {
        {std::nullopt, KeyInfo},
        {std::nullopt, ResumeAnswer},
        {std::nullopt, EstablishmentAnswer},
        {std::nullopt, ConfirmAck},
        {Resume, KeyInfo},
        {KeyInfoRequest, ResumeAnswer},
        {KeyInfoRequest, ConfirmAck},
        {Confirm, KeyInfo},
        {KeyInfoRequest, KeyInfoRequest},
        {std::nullopt, Data},
        {Confirm, Relay},
        {std::nullopt, Confirm},
    };
    for (const auto& [open, type] : rows) {
        RawPeer peer(GetParam(), Role::Mt);
        test::CountingRandom random(1);
        DeviceSession device({.framing = GetParam()}, random, BootTime{});
        device.receive(peer.frame(Hello, encode(test::hello(Role::Mt))), BootTime{});
        ASSERT_TRUE(std::holds_alternative<Connected>(device.next_event().value()));
        if (open == Resume) {
            device.resume({{test::counting<16>(1)}});
        } else if (open == KeyInfoRequest) {
            device.request_key_info({test::kDeviceId});
        } else if (open == Confirm) {
            device.confirm(test::confirm(), test::counting<32>(1));
        }
        device.receive(peer.frame(type, sample_of(type)), BootTime{});
        const auto event = device.next_event();
        ASSERT_TRUE(event && std::holds_alternative<PeerGone>(*event));
        EXPECT_EQ(std::get<PeerGone>(*event).reason.code, Errc::ProtocolViolation);
        EXPECT_FALSE(device.next_event());
    }
}

TEST_P(Order, DeviceComparesL4WithL3) {
    auto other_naf = test::establishment_answer();
    other_naf.naf_id.fqdn = "nafkc2.mnc001.mcc001.pub.3gppnetwork.org";
    auto other_ua = test::establishment_answer();
    other_ua.naf_id.ua = {1, 0, 0, 0, 1};
    auto other_b_tid = test::establishment_answer();
    other_b_tid.b_tid = "b3RoZXI=@bsf.example.org";
    for (const auto& answer : {other_naf, other_ua, other_b_tid}) {
        RawPeer peer(GetParam(), Role::Mt);
        test::CountingRandom random(1);
        DeviceSession device({.framing = GetParam()}, random, BootTime{});
        device.receive(peer.frame(MessageType::Hello, encode(test::hello(Role::Mt))), BootTime{});
        device.request_key_info({test::kDeviceId});
        device.receive(peer.frame(MessageType::KeyInfo, encode(test::key_info(true))), BootTime{});
        device.request_establishment(test::establishment_request(true));
        device.receive(peer.frame(MessageType::EstablishmentAnswer, encode(answer)), BootTime{});
        std::optional<DeviceEvent> last;
        while (auto event = device.next_event()) {
            last = std::move(event);
        }
        EXPECT_EQ(std::get<PeerGone>(last.value()).reason.code, Errc::ProtocolViolation);
    }
}

TEST_P(Order, ResumeAnswerNamesATagThatWasSent) {
    RawPeer peer(GetParam(), Role::Mt);
    test::CountingRandom random(1);
    DeviceSession device({.framing = GetParam()}, random, BootTime{});
    device.receive(peer.frame(MessageType::Hello, encode(test::hello(Role::Mt))), BootTime{});
    ASSERT_TRUE(device.next_event());
    device.resume({{test::counting<16>(1)}});
    device.receive(peer.frame(MessageType::ResumeAnswer,
                              test::encode_whole(test::resume_answer(ResumeAnswer::Status::Known))),
                   BootTime{}); // index 1 of one tag
    EXPECT_EQ(std::get<PeerGone>(device.next_event().value()).reason.code, Errc::ProtocolViolation);
}

TEST_P(Order, NoVersionInCommon) {
    Hello later = test::hello(Role::Device);
    later.versions = {2, 3};
    RawPeer peer(GetParam(), Role::Device);
    MtEnd mt({.framing = GetParam()}, true, BootTime{});
    mt.session.receive(peer.frame(MessageType::Hello, encode(later)), BootTime{});
    mt.handle_events();
    EXPECT_EQ(mt.outcome.gone.value().code, Errc::VersionMismatch);
    const Bytes answer = mt.session.take_output();
    EXPECT_EQ(decode_error(peer.read(answer).at(0).payload).value().code, ErrorCode::Version);

    test::CountingRandom random(1);
    DeviceSession device({.framing = GetParam()}, random, BootTime{});
    device.receive(answer, BootTime{});
    EXPECT_EQ(std::get<PeerGone>(device.next_event().value()).reason.code, Errc::VersionMismatch);

    RawPeer mt_peer(GetParam(), Role::Mt);
    later.role = Role::Mt;
    DeviceSession other({.framing = GetParam()}, random, BootTime{});
    other.receive(mt_peer.frame(MessageType::Hello, encode(later)), BootTime{});
    EXPECT_EQ(std::get<PeerGone>(other.next_event().value()).reason.code, Errc::VersionMismatch);

    later.role = Role::Device;
    later.versions = {1, 2};
    RawPeer both(GetParam(), Role::Device);
    MtEnd able({.framing = GetParam()}, true, BootTime{});
    able.session.receive(both.frame(MessageType::Hello, encode(later)), BootTime{});
    EXPECT_FALSE(able.session.finished());
}

TEST_P(Order, SmallerFrameOfTheTwoIsUsed) {
    Hello small = test::hello(Role::Device);
    small.largest_frame = 1024;
    RawPeer peer(GetParam(), Role::Device);
    test::CountingRandom random(1);
    MtSession mt({.framing = GetParam()}, random, std::nullopt, BootTime{});
    mt.receive(peer.frame(MessageType::Hello, encode(small)), BootTime{});
    mt.receive(peer.frame(MessageType::KeyInfoRequest, sample_of(MessageType::KeyInfoRequest)),
               BootTime{});
    KeyInfo info;
    info.b_tid = std::string(200, 'b');
    for (int i = 0; i < 8; ++i) {
        info.nafs.push_back(test::key_info(true).nafs[0]);
        info.nafs.back().naf_id.fqdn = std::string(60, static_cast<char>('a' + i)) + "." +
                                       std::string(60, 'x') + "." + std::string(60, 'y') + ".org";
        info.nafs.back().key_center_uri = std::nullopt;
    }
    mt.answer_key_info(info, BootTime{});
    const auto frames = peer.read(mt.take_output());
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_LE(frames[1].payload.size() + kFrameHeader, 1024U);
    const auto received = decode_key_info(frames[1].payload).value();
    ASSERT_EQ(received.nafs.size(), 4U); // the first ones, in order
    EXPECT_EQ(received.nafs[3].naf_id, info.nafs[3].naf_id);
    EXPECT_EQ(received.b_tid, info.b_tid);
}

TEST(OrderFrames, EveryMessageFitsIntoTheSmallestFrame) {
    kdf::NafId naf;
    naf.fqdn = std::string(62, 'a') + "." + std::string(62, 'b') + "." + std::string(62, 'c') +
               "." + std::string(61, 'd');
    ASSERT_EQ(naf.fqdn.size(), 250U);
    const std::string b_tid(255, 'b');
    const std::string device_id(128, 'd');
    const std::size_t limit = kSmallestFrame - kFrameHeader;
    Hello hello = test::hello(Role::Mt);
    hello.versions = {1, 2, 3, 4, 5, 6, 7, 255};
    hello.capabilities = std::vector<std::string>(16, std::string(32, 'c'));
    hello.mt_id = std::string(64, 'm');
    EXPECT_LE(encode(hello).size(), limit);
    EXPECT_TRUE(decode_hello(encode(hello)));
    KeyInfo info;
    info.nafs.push_back({naf, "https://" + std::string(247, 'x')});
    info.b_tid = b_tid;
    EXPECT_LE(encode(info).size(), limit);
    EXPECT_LE(encode(EstablishmentRequest{naf, device_id, b_tid, Reason::Renewal}).size(), limit);
    const std::string profile(64, 'p');
    EXPECT_LE(
        encode(EstablishmentAnswer{
                   {}, b_tid, naf, profile, "gba-me", test::seconds(253402300799), 0xFFFFFFFF})
            .size(),
        limit);
    EXPECT_LE(
        test::sealed(encode_body(Confirm{{}, b_tid, naf, profile, test::seconds(253402300799)}))
            .size(),
        limit);
    EXPECT_LE(encode(Resume{std::vector<Tag>(8)}).size(), limit);
    ErrorMessage error = test::error_message(ErrorCode::BtidChanged);
    error.text = std::string(500, 't');
    error.b_tid = b_tid;
    EXPECT_LE(encode(error).size(), limit);
}

TEST_P(Order, ErrorOfThePeerIsReportedWithItsErrc) {
    for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
        const auto code = static_cast<ErrorCode>(i);
        RawPeer peer(GetParam(), Role::Device);
        MtEnd mt({.framing = GetParam()}, true, BootTime{});
        mt.session.receive(peer.frame(MessageType::Hello, encode(test::hello(Role::Device))),
                           BootTime{});
        mt.session.receive(peer.frame(MessageType::Error, encode(test::error_message(code))),
                           BootTime{});
        mt.handle_events();
        EXPECT_EQ(mt.outcome.gone.value().code, errc_from(code));
        EXPECT_EQ(mt.outcome.gone.value().context, "ask again in a minute");
    }
}

TEST_P(Order, RefuseWithCloseEndsBothEnds) {
    Exchange exchange(GetParam());
    test::CountingRandom random(5);
    MtSession mt(exchange.settings, random, std::nullopt, exchange.now);
    DeviceEnd& device = exchange.device;
    mt.receive(device.session.take_output(), exchange.now);
    device.session.receive(mt.take_output(), exchange.now);
    device.handle_events();
    mt.receive(device.session.take_output(), exchange.now);
    ASSERT_TRUE(mt.next_event());
    mt.refuse(test::error_message(ErrorCode::Refused), exchange.now, true);
    EXPECT_TRUE(mt.finished());
    EXPECT_FALSE(mt.next_event());
    device.session.receive(mt.take_output(), exchange.now);
    device.handle_events();
    EXPECT_EQ(device.outcome.refusals.size(), 1U);
    EXPECT_TRUE(device.session.finished());
}

TEST_P(Order, EndsOfTheLinkAndOfRandomness) {
    Exchange exchange(GetParam());
    exchange.mt.session.link_ended(exchange.now);
    exchange.device.session.link_ended(exchange.now);
    exchange.mt.session.link_ended(exchange.now);
    exchange.pump();
    EXPECT_EQ(exchange.mt.outcome.gone.value().code, Errc::LinkLost);
    EXPECT_EQ(exchange.device.outcome.gone.value().code, Errc::LinkLost);
    EXPECT_EQ(exchange.mt.outcome.events, 1);

    test::BrokenRandom broken;
    MtSession mt(exchange.settings, broken, std::nullopt, exchange.now);
    DeviceSession device(exchange.settings, broken, exchange.now);
    EXPECT_TRUE(mt.finished());
    EXPECT_TRUE(device.take_output().empty());
    EXPECT_EQ(std::get<PeerGone>(mt.next_event().value()).reason.code, Errc::RandomFailed);
    EXPECT_EQ(std::get<PeerGone>(device.next_event().value()).reason.code, Errc::RandomFailed);
}

TEST_P(Order, MovedSessionsGoOn) {
    Exchange exchange(GetParam());
    DeviceSession device = std::move(exchange.device.session);
    const Bytes hello = device.take_output();
    exchange.mt.session.receive(hello, exchange.now);
    MtSession mt = std::move(exchange.mt.session);
    device.receive(mt.take_output(), exchange.now);
    EXPECT_TRUE(device.next_event());
}

TEST_P(Order, L3NeedsTheAnswerToTheLastL1) {
    RawPeer peer(GetParam(), Role::Device);
    test::CountingRandom random(1);
    MtSession mt({.framing = GetParam()}, random, std::nullopt, BootTime{});
    mt.receive(peer.frame(MessageType::Hello, encode(test::hello(Role::Device))), BootTime{});
    for (const bool answered : {true, false}) {
        mt.receive(peer.frame(MessageType::KeyInfoRequest, sample_of(MessageType::KeyInfoRequest)),
                   BootTime{});
        ASSERT_TRUE(std::holds_alternative<KeyInfoAsked>(mt.next_event().value()));
        if (answered) {
            mt.answer_key_info(test::key_info(true), BootTime{});
        } else {
            mt.refuse(test::error_message(ErrorCode::Pending), BootTime{});
        }
    }
    mt.receive(
        peer.frame(MessageType::EstablishmentRequest, sample_of(MessageType::EstablishmentRequest)),
        BootTime{});
    EXPECT_EQ(std::get<PeerGone>(mt.next_event().value()).reason.code, Errc::ProtocolViolation);
}

TEST_P(Order, FrameAboveTheAgreedSizeIsNotTaken) {
    Hello small = test::hello(Role::Device);
    small.largest_frame = 1024; // the MT alone would take 4096
    RawPeer peer(GetParam(), Role::Device);
    MtEnd mt({.framing = GetParam()}, true, BootTime{});
    mt.session.receive(peer.frame(MessageType::Hello, encode(small)), BootTime{});
    mt.session.receive(peer.frame(MessageType::Ping, Bytes(1021)), BootTime{});
    mt.session.receive(peer.frame(MessageType::Ping, encode_empty()), BootTime{});
    mt.handle_events();
    EXPECT_EQ(mt.outcome.gone.value().code,
              GetParam() == Framing::Cobs ? Errc::LinkLost : Errc::ProtocolViolation);
    EXPECT_EQ(mt.outcome.gone.value().context.find("content"), std::string::npos);
}

TEST_P(Order, ErrorProtocolEndsTheDeviceEvenWithAnOpenRequest) {
    for (const ErrorCode code : {ErrorCode::Protocol, ErrorCode::Version}) {
        RawPeer peer(GetParam(), Role::Mt);
        test::CountingRandom random(1);
        DeviceSession device({.framing = GetParam()}, random, BootTime{});
        device.receive(peer.frame(MessageType::Hello, encode(test::hello(Role::Mt))), BootTime{});
        ASSERT_TRUE(device.next_event());
        device.request_key_info({test::kDeviceId});
        device.receive(peer.frame(MessageType::Error, encode(test::error_message(code))),
                       BootTime{});
        EXPECT_EQ(std::get<PeerGone>(device.next_event().value()).reason.code, errc_from(code));
        EXPECT_TRUE(device.finished());
    }
}

} // namespace
} // namespace mtkey::local
