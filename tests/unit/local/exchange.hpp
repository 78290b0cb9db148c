// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "local/device_session.hpp"
#include "samples.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace mtkey::local::test {

/// Of the worked example (tests/vectors/worked_example.json).
inline Secret<32> ks_local_mt() {
    return Secret<32>::from(hex("520ff2b50c0d16c7e5bad24dd9b3de6017578db5d96466b1fe003111e30d5b95"),
                            "Ks_local_MT")
        .value();
}

/// What one end knows of an establishment, and whether it took the other end's MAC.
struct Outcome {
    std::optional<kdf::TranscriptHash> th_conn;
    std::optional<kdf::TranscriptHash> th_est;
    std::optional<kdf::TranscriptHash> verified_th_conn; ///< of the connection whose MAC was right
    std::optional<Confirm> confirmed;                    ///< MT
    std::optional<ConfirmAck> acknowledged;              ///< device
    std::optional<Mac> confirm_mac;
    std::vector<ErrorMessage> refusals;
    std::optional<Error> gone;
    int events = 0;
};

/// The MT's owner: answers at once, verifies MACs with a key that both ends have.
struct MtEnd {
    explicit MtEnd(SessionSettings settings, bool knows_b_tid, BootTime start,
                   std::uint8_t nonce = 0x80)
        : random(nonce),
          session(settings, random, kMtId, start),
          now(start),
          with_b_tid(knows_b_tid) {}

    void handle_events() {
        while (auto event = session.next_event()) {
            ++outcome.events;
            std::visit([this](auto& e) { handle(e); }, *event);
        }
    }
    void handle(ResumeAsked& asked) {
        outcome.th_conn = asked.th_conn;
        session.answer_resume({}, now);
    }
    void handle(KeyInfoAsked&) { session.answer_key_info(key_info(with_b_tid), now); }
    void handle(EstablishmentAsked& asked) {
        auto answer = establishment_answer();
        answer.naf_id = asked.request.naf_id;
        answer.b_tid = asked.request.b_tid.value_or(kBtid);
        outcome.th_est = session.answer_establishment(answer, now);
    }
    void handle(ConfirmAsked& asked) {
        outcome.th_conn = asked.th_conn;
        outcome.confirm_mac = asked.mac;
        if (!outcome.th_est) {
            return refuse();
        }
        const auto keys = kdf::establishment_keys(ks_local_mt(), *outcome.th_est);
        if (kdf::confirm_mac(keys.confirm_device, *outcome.th_est, asked.th_conn, asked.body) !=
            asked.mac) {
            return refuse();
        }
        outcome.verified_th_conn = asked.th_conn;
        outcome.confirmed = asked.confirm;
        const ConfirmAck ack{ConfirmAck::Status::Stored, asked.confirm.expires};
        session.answer_confirm(ack,
                               kdf::confirm_ack_mac(keys.confirm_mt, *outcome.th_est, asked.th_conn,
                                                    asked.mac, encode_confirm_ack_body(ack)),
                               now);
    }
    void handle(PeerGone& gone) { outcome.gone = gone.reason; }
    void refuse() { session.refuse(error_message(ErrorCode::Confirmation), now); }

    CountingRandom random;
    MtSession session;
    BootTime now; ///< of its answers
    bool with_b_tid;
    Outcome outcome;
};

/// The device's owner: runs the procedure, says BYE at its end.
struct DeviceEnd {
    explicit DeviceEnd(SessionSettings settings, BootTime now, std::uint8_t nonce = 0x00)
        : random(nonce), session(settings, random, now) {}

    void handle_events() {
        while (auto event = session.next_event()) {
            ++outcome.events;
            std::visit([this](auto& e) { handle(e); }, *event);
        }
    }
    void handle(Connected& connected) {
        outcome.th_conn = connected.th_conn;
        session.request_key_info({kDeviceId});
    }
    void handle(ResumeAnswered&) {}
    void handle(KeyInfoReceived& received) {
        EstablishmentRequest request;
        request.naf_id = received.info.nafs.front().naf_id;
        request.device_id = kDeviceId;
        request.b_tid = received.info.b_tid;
        session.request_establishment(request);
    }
    void handle(EstablishmentReceived& received) {
        outcome.th_est = received.th_est;
        Confirm message = confirm();
        message.est_id = received.answer.est_id;
        message.b_tid = received.answer.b_tid;
        message.naf_id = received.answer.naf_id;
        send_confirm(message);
    }
    void send_confirm(const Confirm& message) {
        const auto keys = kdf::establishment_keys(ks_local_mt(), *outcome.th_est);
        outcome.confirm_mac = kdf::confirm_mac(keys.confirm_device, *outcome.th_est,
                                               *outcome.th_conn, encode_confirm_body(message));
        session.confirm(message, *outcome.confirm_mac);
    }
    void handle(ConfirmAcknowledged& acknowledged) {
        const auto keys = kdf::establishment_keys(ks_local_mt(), *outcome.th_est);
        if (kdf::confirm_ack_mac(keys.confirm_mt, *outcome.th_est, *outcome.th_conn,
                                 *outcome.confirm_mac, acknowledged.body) == acknowledged.mac) {
            outcome.acknowledged = acknowledged.ack;
            outcome.verified_th_conn = outcome.th_conn;
        }
        session.close();
    }
    void handle(PeerRefused& refused) {
        outcome.refusals.push_back(refused.error);
        session.close();
    }
    void handle(PeerGone& gone) { outcome.gone = gone.reason; }

    CountingRandom random;
    DeviceSession session;
    Outcome outcome;
};

/// Both ends over memory. `wire` may change the octets of one direction; called in order, also with
/// nothing to send.
struct Exchange {
    using Wire = std::function<void(Role from, Bytes& octets)>;

    explicit Exchange(Framing framing, bool knows_b_tid = true)
        : settings{.framing = framing}, mt(settings, knows_b_tid, now), device(settings, now) {}

    /// Until nobody has anything to say.
    void pump() {
        mt.now = now;
        for (bool moved = true; moved;) {
            moved = false;
            device.handle_events();
            mt.handle_events();
            moved = deliver(Role::Device) || moved;
            moved = deliver(Role::Mt) || moved;
        }
    }
    bool deliver(Role from) {
        mt.now = now;
        Bytes octets =
            from == Role::Device ? device.session.take_output() : mt.session.take_output();
        const bool moved = !octets.empty();
        if (wire) {
            wire(from, octets);
        }
        for (std::size_t at = 0; at < octets.size(); at += step) {
            const ByteView piece = ByteView(octets).subspan(at, std::min(step, octets.size() - at));
            if (from == Role::Device) {
                mt.session.receive(piece, now);
                mt.handle_events();
            } else {
                device.session.receive(piece, now);
                device.handle_events();
            }
        }
        return moved;
    }
    /// With time going on until both have ended, at most `limit`.
    void run(std::chrono::seconds limit = std::chrono::seconds(400)) {
        pump();
        for (const BootTime stop = now + limit; now < stop;) {
            if (mt.session.finished() && device.session.finished()) {
                break;
            }
            now = std::max(now + std::chrono::milliseconds(1),
                           std::min({device.session.deadline(), mt.session.deadline(), stop}));
            device.session.on_time(now);
            mt.session.on_time(now);
            pump();
        }
    }

    SessionSettings settings;
    BootTime now{std::chrono::hours(1)};
    MtEnd mt;
    DeviceEnd device;
    Wire wire;
    std::size_t step = SIZE_MAX / 2;
};

/// Both ends hold the same key and know it; the device said BYE.
inline void expect_established(const Exchange& exchange) {
    const auto& mt = exchange.mt.outcome;
    const auto& device = exchange.device.outcome;
    ASSERT_TRUE(mt.confirmed);
    ASSERT_TRUE(device.acknowledged);
    EXPECT_EQ(mt.th_est, device.th_est);
    EXPECT_EQ(mt.verified_th_conn, device.verified_th_conn);
    EXPECT_EQ(mt.confirmed->b_tid, kBtid);
    EXPECT_EQ(device.acknowledged->status, ConfirmAck::Status::Stored);
    EXPECT_EQ(mt.gone.value().code, Errc::LinkLost); // BYE of the device
    EXPECT_FALSE(device.gone);                       // its owner closed
    EXPECT_TRUE(exchange.mt.session.finished());
    EXPECT_TRUE(exchange.device.session.finished());
    EXPECT_TRUE(device.refusals.empty());
}

} // namespace mtkey::local::test
