// SPDX-License-Identifier: Apache-2.0
#include "local/device_session.hpp"

#include "exchange.hpp"

#include <gtest/gtest.h>

namespace mtkey::local {
namespace {

using test::DeviceEnd;
using test::Exchange;
using test::expect_established;
using test::MtEnd;

class Session : public testing::TestWithParam<Framing> {};
INSTANTIATE_TEST_SUITE_P(Framing, Session, testing::Values(Framing::LengthPrefixed, Framing::Cobs));

TEST_P(Session, BothProceduresOfTheDraft) {
    for (const bool knows_b_tid : {false, true}) {
        Exchange exchange(GetParam(), knows_b_tid);
        exchange.run();
        expect_established(exchange);
    }
}

TEST_P(Session, OctetsInPiecesOfEverySize) {
    for (std::size_t step = 1; step < 700; step += step < 40 ? 1 : 33) {
        Exchange exchange(GetParam());
        exchange.step = step;
        exchange.pump();
        expect_established(exchange);
    }
}

/// Splits the whole conversation of one direction at every position: one piece before, one after.
TEST_P(Session, OneSplitAtEveryOctet) {
    for (const Role side : {Role::Device, Role::Mt}) {
        std::size_t position = 0;
        for (bool inside = true; inside; ++position) {
            Exchange exchange(GetParam());
            Bytes kept;
            std::size_t passed = 0;
            inside = false;
            exchange.wire = [&](Role from, Bytes& octets) {
                if (from != side) {
                    return;
                }
                octets.insert(octets.begin(), kept.begin(), kept.end());
                kept.clear();
                if (!inside && passed <= position && position < passed + octets.size()) {
                    kept.assign(octets.begin() + static_cast<std::ptrdiff_t>(position - passed),
                                octets.end());
                    octets.resize(position - passed);
                    inside = true;
                }
                passed += octets.size();
            };
            exchange.pump();
            exchange.pump(); // the kept rest goes with the next delivery
            expect_established(exchange);
            ASSERT_FALSE(testing::Test::HasFatalFailure()) << position;
        }
        EXPECT_GT(position, 300U);
    }
}

TEST_P(Session, ResumeThenFullEstablishmentOnOneConnection) {
    const SessionSettings settings{.framing = GetParam()};
    const BootTime now{};
    test::CountingRandom device_random(0);
    test::CountingRandom mt_random(0x80);
    DeviceSession device(settings, device_random, now);
    MtSession mt(settings, mt_random, std::nullopt, now);
    const auto to_mt = [&] { mt.receive(device.take_output(), now); };
    const auto to_device = [&] { device.receive(mt.take_output(), now); };

    to_mt();
    EXPECT_FALSE(mt.next_event());
    to_device();
    auto connected = std::get<Connected>(device.next_event().value());
    EXPECT_FALSE(connected.mt_hello.mt_id);

    device.resume({{test::counting<16>(1), test::counting<16>(2)}});
    to_mt();
    const auto asked = std::get<ResumeAsked>(mt.next_event().value());
    EXPECT_EQ(asked.th_conn, connected.th_conn);
    EXPECT_EQ(asked.resume.tags[1], test::counting<16>(2));

    for (const auto status : {ResumeAnswer::Status::Wait, ResumeAnswer::Status::Delete,
                              ResumeAnswer::Status::Unknown}) {
        const auto answer = test::resume_answer(status);
        mt.answer_resume(answer, now);
        to_device();
        const auto answered = std::get<ResumeAnswered>(device.next_event().value());
        EXPECT_EQ(answered.answer.status, status);
        EXPECT_EQ(answered.body, encode_resume_answer_body(answer));
        EXPECT_EQ(answered.answer.mac, answer.mac);
        if (status != ResumeAnswer::Status::Unknown) {
            device.resume({{test::counting<16>(1), test::counting<16>(2)}});
            to_mt();
            ASSERT_TRUE(mt.next_event());
        }
    }

    device.request_key_info({test::kDeviceId});
    to_mt();
    EXPECT_EQ(std::get<KeyInfoAsked>(mt.next_event().value()).request.device_id, test::kDeviceId);
    // not approved yet, then approved
    mt.refuse(test::error_message(ErrorCode::Pending), now);
    to_device();
    EXPECT_EQ(std::get<PeerRefused>(device.next_event().value()).error.code, ErrorCode::Pending);
    device.request_key_info({test::kDeviceId});
    to_mt();
    ASSERT_TRUE(std::holds_alternative<KeyInfoAsked>(mt.next_event().value()));
    mt.answer_key_info(test::key_info(true), now);
    to_device();
    ASSERT_TRUE(std::holds_alternative<KeyInfoReceived>(device.next_event().value()));

    device.request_establishment(test::establishment_request(true));
    to_mt();
    ASSERT_TRUE(std::holds_alternative<EstablishmentAsked>(mt.next_event().value()));
    mt.refuse(test::error_message(ErrorCode::BtidChanged), now);
    to_device();
    const auto changed = std::get<PeerRefused>(device.next_event().value()).error;
    EXPECT_EQ(changed.b_tid, test::kBtid);
    auto again = test::establishment_request(true);
    again.b_tid = "bmV3@bsf.example.org";
    device.request_establishment(again);
    to_mt();
    ASSERT_TRUE(std::holds_alternative<EstablishmentAsked>(mt.next_event().value()));
    auto l4 = test::establishment_answer();
    l4.b_tid = *again.b_tid;
    const auto th_est = mt.answer_establishment(l4, now);
    to_device();
    EXPECT_EQ(std::get<EstablishmentReceived>(device.next_event().value()).th_est, th_est);

    // the network did not know the B-TID: L3 once more, without it, after L4
    auto renewed = test::establishment_request(false);
    renewed.reason = Reason::BtidUnknownToNetwork;
    device.request_establishment(renewed);
    to_mt();
    ASSERT_TRUE(std::holds_alternative<EstablishmentAsked>(mt.next_event().value()));
    const auto th_est_2 = mt.answer_establishment(test::establishment_answer(), now);
    to_device();
    EXPECT_EQ(std::get<EstablishmentReceived>(device.next_event().value()).th_est, th_est_2);
    EXPECT_NE(th_est, th_est_2);

    // the same CONFIRM twice
    for (int i = 0; i < 2; ++i) {
        device.confirm(test::confirm(), test::counting<32>(7));
        to_mt();
        const auto confirm = std::get<ConfirmAsked>(mt.next_event().value());
        EXPECT_EQ(confirm.body, encode_confirm_body(test::confirm()));
        EXPECT_EQ(confirm.mac, test::counting<32>(7));
        EXPECT_EQ(confirm.th_conn, connected.th_conn);
        mt.answer_confirm(test::confirm_ack(), test::counting<32>(9), now);
        to_device();
        const auto ack = std::get<ConfirmAcknowledged>(device.next_event().value());
        EXPECT_EQ(ack.body, encode_confirm_ack_body(test::confirm_ack()));
        EXPECT_EQ(ack.mac, test::counting<32>(9));
    }
    mt.refuse(test::error_message(ErrorCode::Refused), now); // revoked while idle
    EXPECT_TRUE(mt.finished());
    to_device();
    EXPECT_EQ(std::get<PeerGone>(device.next_event().value()).reason.code, Errc::Rejected);
    EXPECT_FALSE(device.next_event());
    EXPECT_FALSE(mt.next_event());
}

TEST_P(Session, ConfirmOverALaterConnection) {
    // The device gets L4, but the link is cut before its CONFIRM arrives.
    Exchange exchange(GetParam());
    exchange.wire = [&](Role from, Bytes& octets) {
        if (from == Role::Device && exchange.device.outcome.th_est) {
            octets.clear();
        }
    };
    exchange.pump();
    ASSERT_TRUE(exchange.device.outcome.th_est);
    ASSERT_FALSE(exchange.mt.outcome.confirmed);
    const auto th_est = exchange.device.outcome.th_est;

    const SessionSettings settings{.framing = GetParam()};
    const BootTime now = exchange.now;
    MtEnd mt(settings, true, now, 0x90);
    mt.outcome.th_est = exchange.mt.outcome.th_est; // the pending record
    test::CountingRandom random(0x40);
    DeviceSession device(settings, random, now);
    const auto pass = [&] {
        mt.session.receive(device.take_output(), now);
        mt.handle_events();
        device.receive(mt.session.take_output(), now);
    };
    pass();
    const auto connected = std::get<Connected>(device.next_event().value());
    EXPECT_NE(connected.th_conn, exchange.device.outcome.th_conn.value());
    const auto keys = kdf::establishment_keys(test::ks_local_mt(), *th_est);
    const Bytes body = encode_confirm_body(test::confirm());

    // the recorded MAC of the earlier connection is worth nothing here
    device.confirm(test::confirm(), exchange.device.outcome.confirm_mac.value());
    pass();
    EXPECT_EQ(std::get<PeerRefused>(device.next_event().value()).error.code,
              ErrorCode::Confirmation);
    EXPECT_FALSE(mt.outcome.confirmed);

    device.confirm(test::confirm(),
                   kdf::confirm_mac(keys.confirm_device, *th_est, connected.th_conn, body));
    pass();
    EXPECT_TRUE(std::holds_alternative<ConfirmAcknowledged>(device.next_event().value()));
    EXPECT_TRUE(mt.outcome.confirmed);
}

/// A whole recorded conversation of the device is played to an MT that has another nonce.
TEST_P(Session, ReplayOfAWholeSessionConfirmsNothing) {
    Exchange recorded(GetParam());
    Bytes octets;
    recorded.wire = [&](Role from, Bytes& piece) {
        if (from == Role::Device) {
            append(octets, piece);
        }
    };
    recorded.pump();
    ASSERT_TRUE(recorded.mt.outcome.confirmed);
    MtEnd mt(recorded.settings, true, recorded.now, 0x11);
    for (const std::uint8_t octet : octets) {
        mt.session.receive({&octet, 1}, recorded.now);
        mt.handle_events();
    }
    EXPECT_TRUE(mt.outcome.th_est);
    EXPECT_NE(mt.outcome.th_est, recorded.mt.outcome.th_est);
    EXPECT_EQ(mt.outcome.confirm_mac, recorded.device.outcome.confirm_mac);
    EXPECT_FALSE(mt.outcome.confirmed);
}

TEST(SessionSettings, FollowTheTransport) {
    EXPECT_EQ(session_settings(true, 0).framing, Framing::LengthPrefixed);
    EXPECT_EQ(session_settings(true, 0).largest_frame, kLargestFrame);
    EXPECT_EQ(session_settings(false, 0).framing, Framing::Cobs);
    EXPECT_EQ(session_settings(false, 0).largest_frame, kTtyFrame);
    SessionSettings timers;
    timers.step_timeout = std::chrono::milliseconds(5);
    EXPECT_EQ(session_settings(false, 2000, timers).largest_frame, 2000U);
    EXPECT_EQ(session_settings(false, 2000, timers).step_timeout, timers.step_timeout);
}

} // namespace
} // namespace mtkey::local
