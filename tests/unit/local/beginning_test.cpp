// SPDX-License-Identifier: Apache-2.0
// The beginning of a connection: echoes, lost octets, ends that start again (the pitfalls of ttys).
#include "exchange.hpp"
#include "raw_peer.hpp"

#include <gtest/gtest.h>

#include <random>

namespace mtkey::local {
namespace {

using test::DeviceEnd;
using test::Exchange;
using test::expect_established;
using test::MtEnd;

class Beginning : public testing::TestWithParam<Framing> {};
INSTANTIATE_TEST_SUITE_P(Framing, Beginning,
                         testing::Values(Framing::LengthPrefixed, Framing::Cobs));

TEST_P(Beginning, OwnEchoAndGarbageBeforeHello) {
    Exchange exchange(GetParam());
    Bytes echo;
    exchange.wire = [&](Role from, Bytes& octets) {
        if (from == Role::Device && echo.empty()) {
            echo = octets;
            append(echo, as_octets("\r\nraspberrypi login: "));
            exchange.device.session.receive(echo, exchange.now);
            octets.insert(octets.begin(), {0x0A, 0x00, 0x4D, 0x4B, 0xFF});
        }
    };
    exchange.pump();
    expect_established(exchange);
}

TEST_P(Beginning, PeerOfTheSameRoleIsNoPeer) {
    const SessionSettings settings{.framing = GetParam()};
    const BootTime start{};
    test::CountingRandom random(0);
    DeviceSession one(settings, random, start);
    DeviceSession other(settings, random, start);
    one.receive(other.take_output(), start);
    EXPECT_FALSE(one.next_event());
    one.on_time(start + std::chrono::seconds(10));
    EXPECT_EQ(std::get<PeerGone>(one.next_event().value()).reason.code, Errc::TimedOut);
}

TEST(BeginningOnTty, MtIsSilentUntilADeviceSpeaksAndHearsTheRepeatedHello) {
    Exchange exchange(Framing::Cobs);
    EXPECT_TRUE(exchange.mt.session.take_output().empty());
    static_cast<void>(exchange.device.session.take_output()); // lost: the MT had not opened its end
    for (int second = 1; second <= 3; ++second) {
        exchange.now += std::chrono::seconds(1);
        exchange.device.session.on_time(exchange.now);
        if (second < 3) {
            EXPECT_FALSE(exchange.device.session.take_output().empty());
        }
    }
    exchange.pump();
    expect_established(exchange);
}

TEST(BeginningOnTty, RepeatedHelloWhileTheAnswerIsLost) {
    Exchange exchange(Framing::Cobs);
    int answers = 0;
    exchange.wire = [&](Role from, Bytes& octets) {
        if (from == Role::Mt && !octets.empty() && ++answers <= 2) {
            octets.clear();
        }
    };
    exchange.run();
    EXPECT_GT(answers, 2);
    expect_established(exchange);
}

TEST(BeginningOnTty, DeviceThatStartsAgain) {
    // before anything else was said, the MT takes the new HELLO; afterwards the old connection is
    // over
    const SessionSettings settings{.framing = Framing::Cobs};
    Exchange exchange(Framing::Cobs);
    DeviceEnd stale(settings, exchange.now, 0x55);
    exchange.mt.session.receive(stale.session.take_output(), exchange.now);
    static_cast<void>(exchange.mt.session.take_output());
    exchange.pump();
    expect_established(exchange);

    Exchange busy(Framing::Cobs);
    busy.wire = [&](Role from, Bytes& octets) {
        if (from == Role::Mt && busy.mt.outcome.th_est) {
            octets.clear(); // L4 is lost, the device resets
        }
    };
    busy.pump();
    DeviceEnd reborn(settings, busy.now, 0x66);
    busy.mt.session.receive(reborn.session.take_output(), busy.now);
    busy.mt.handle_events();
    EXPECT_EQ(busy.mt.outcome.gone.value().code, Errc::LinkLost);
}

TEST(BeginningOnTty, MtThatStartsAgainTellsTheDevice) {
    Exchange exchange(Framing::Cobs);
    exchange.wire = [&](Role from, Bytes& octets) {
        if (from == Role::Mt && exchange.mt.outcome.th_est) {
            octets.clear();
        }
    };
    exchange.pump();
    ASSERT_FALSE(exchange.device.session.finished());
    MtEnd reborn(exchange.settings, true, exchange.now, 0x77);
    exchange.device.session.on_time(exchange.now + std::chrono::seconds(10)); // PING
    reborn.session.receive(exchange.device.session.take_output(), exchange.now);
    exchange.device.session.receive(reborn.session.take_output(), exchange.now);
    exchange.device.handle_events();
    EXPECT_EQ(exchange.device.outcome.gone.value().code, Errc::LinkLost);
    EXPECT_FALSE(reborn.session.finished()) << "it waits for the device's HELLO";
}

/// Threat L9: line noise between all frames of both directions.
TEST(BeginningOnTty, ProcedureThroughConstantNoise) {
    std::mt19937 random(9);
    Exchange exchange(Framing::Cobs);
    exchange.wire = [&](Role, Bytes& octets) {
        if (octets.empty()) {
            return;
        }
        Bytes noise(50'000);
        for (auto& octet : noise) {
            octet = static_cast<std::uint8_t>(random());
        }
        octets.insert(octets.begin(), noise.begin(), noise.end());
    };
    exchange.pump();
    expect_established(exchange);
}

TEST(BeginningOnReliableLink, StrangerThatNeverSaysHello) {
    Exchange exchange(Framing::LengthPrefixed);
    const Bytes junk(70'000, 'x');
    exchange.mt.session.receive(junk, exchange.now);
    exchange.mt.handle_events();
    EXPECT_EQ(exchange.mt.outcome.gone.value().code, Errc::ProtocolViolation);
    EXPECT_TRUE(exchange.mt.session.take_output().empty());
}

/// A HELLO whose header and payload disagree about who speaks.
TEST_P(Beginning, HelloOfTheWrongRoleIsNoHello) {
    test::RawPeer peer(GetParam(), Role::Mt);
    test::CountingRandom random(1);
    DeviceSession device({.framing = GetParam()}, random, BootTime{});
    device.receive(peer.frame(MessageType::Hello, encode(test::hello(Role::Device))), BootTime{});
    EXPECT_FALSE(device.next_event());
    device.receive(peer.frame(MessageType::Hello, encode(test::hello(Role::Mt))), BootTime{});
    EXPECT_TRUE(std::holds_alternative<Connected>(device.next_event().value()));
}

TEST(BeginningOnTty, LostFrameEndsTheConnectionWithBye) {
    const SessionSettings settings{.framing = Framing::Cobs};
    for (const int lost : {1, 2, 255}) {
        test::RawPeer peer(Framing::Cobs, Role::Device);
        MtEnd mt(settings, true, BootTime{});
        mt.session.receive(peer.frame(MessageType::Hello, encode(test::hello(Role::Device))),
                           BootTime{});
        static_cast<void>(peer.read(mt.session.take_output()));
        for (int i = 0; i < lost; ++i) {
            static_cast<void>(peer.frame(MessageType::Ping, encode_empty()));
        }
        mt.session.receive(
            peer.frame(MessageType::KeyInfoRequest, encode(KeyInfoRequest{test::kDeviceId})),
            BootTime{});
        mt.handle_events();
        EXPECT_EQ(mt.outcome.gone.value().code, Errc::LinkLost);
        EXPECT_EQ(mt.outcome.events, 1);
        const auto frames = peer.read(mt.session.take_output());
        ASSERT_EQ(frames.size(), 1U);
        EXPECT_EQ(frames[0].type, static_cast<std::uint8_t>(MessageType::Bye));
    }
}

TEST(BeginningOnTty, DeviceTellsARepeatedHelloFromAnotherOne) {
    test::RawPeer peer(Framing::Cobs, Role::Mt);
    test::CountingRandom random(1);
    DeviceSession device({.framing = Framing::Cobs}, random, BootTime{});
    Hello hello = test::hello(Role::Mt);
    device.receive(peer.frame(MessageType::Hello, encode(hello)), BootTime{});
    ASSERT_TRUE(device.next_event());
    device.receive(peer.frame(MessageType::Hello, encode(hello)), BootTime{});
    EXPECT_FALSE(device.next_event());
    EXPECT_FALSE(device.finished());
    hello.nonce[31] ^= 1;
    device.receive(peer.frame(MessageType::Hello, encode(hello)), BootTime{});
    EXPECT_EQ(std::get<PeerGone>(device.next_event().value()).reason.code, Errc::LinkLost);
}

} // namespace
} // namespace mtkey::local
