// SPDX-License-Identifier: Apache-2.0
#include "exchange.hpp"

#include <gtest/gtest.h>

namespace mtkey::local {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::DeviceEnd;
using test::Exchange;
using test::MtEnd;

constexpr BootTime kStart{std::chrono::hours(5)};
constexpr milliseconds kTick{1};

class Timer : public testing::TestWithParam<Framing> {
protected:
    SessionSettings settings() const { return {.framing = GetParam()}; }
};
INSTANTIATE_TEST_SUITE_P(Framing, Timer, testing::Values(Framing::LengthPrefixed, Framing::Cobs));

template <typename End>
void expect_end(End& end, BootTime at, Errc code) {
    EXPECT_EQ(end.session.deadline(), at);
    end.session.on_time(at - kTick);
    end.handle_events();
    EXPECT_FALSE(end.session.finished());
    end.session.on_time(at);
    end.handle_events();
    EXPECT_TRUE(end.session.finished());
    ASSERT_TRUE(end.outcome.gone);
    EXPECT_EQ(end.outcome.gone->code, code);
    end.session.on_time(at + seconds(1));
    end.handle_events();
    EXPECT_FALSE(end.session.next_event());
}

/// Two ends that have said HELLO; `device` has no owner that acts on it.
struct Pair {
    explicit Pair(const SessionSettings& settings)
        : mt_random(1),
          device_random(2),
          mt(settings, mt_random, std::nullopt, kStart),
          device(settings, device_random, kStart) {
        pass(kStart);
        pass(kStart);
        EXPECT_TRUE(std::holds_alternative<Connected>(device.next_event().value()));
    }
    void pass(BootTime now) {
        mt.receive(device.take_output(), now);
        device.receive(mt.take_output(), now);
    }
    /// Lets both answer each other's PING up to `to`; returns the time of the first end.
    BootTime run_to(BootTime from, BootTime to) {
        for (BootTime now = from; now < to;) {
            now = std::min({mt.deadline(), device.deadline(), to});
            mt.on_time(now);
            device.on_time(now);
            pass(now);
            pass(now);
            if (mt.finished() || device.finished()) {
                return now;
            }
        }
        return to;
    }
    test::CountingRandom mt_random;
    test::CountingRandom device_random;
    MtSession mt;
    DeviceSession device;
};

TEST_P(Timer, NoHello) {
    DeviceEnd device(settings(), kStart);
    if (GetParam() == Framing::Cobs) { // repeats its HELLO until then
        for (int second = 1; second < 10; ++second) {
            EXPECT_EQ(device.session.deadline(), kStart + seconds(second));
            device.session.on_time(kStart + seconds(second));
            EXPECT_FALSE(device.session.take_output().empty());
        }
    }
    expect_end(device, kStart + seconds(10), Errc::TimedOut);

    MtEnd mt(settings(), true, kStart);
    BootTime begin = kStart;
    if (GetParam() == Framing::Cobs) { // a tty on which nobody speaks costs nothing
        EXPECT_GE(mt.session.deadline(), kStart + std::chrono::hours(24));
        begin = kStart + std::chrono::hours(48);
        mt.session.on_time(begin);
        EXPECT_FALSE(mt.session.finished());
        mt.session.receive(test::hex("00"), begin);
    }
    expect_end(mt, begin + seconds(10), Errc::TimedOut);
    EXPECT_TRUE(mt.session.take_output().empty());
}

TEST_P(Timer, SlowHelloIsNoHello) {
    MtEnd mt(settings(), true, kStart);
    DeviceEnd device(settings(), kStart);
    const Bytes hello = device.session.take_output();
    BootTime now = kStart;
    for (const std::uint8_t octet : hello) { // an octet every 200 ms
        mt.session.receive({&octet, 1}, now);
        now += milliseconds(200);
        mt.session.on_time(now);
        if (mt.session.finished()) {
            break;
        }
    }
    EXPECT_EQ(now, kStart + seconds(10));
    EXPECT_TRUE(mt.session.finished());
}

TEST_P(Timer, SilencePingAndDeath) {
    Pair pair(settings());
    // the MT hears nothing at all: PING after 10 and 20 seconds, dead after 30
    pair.device.request_key_info({test::kDeviceId});
    pair.mt.receive(pair.device.take_output(), kStart);
    ASSERT_TRUE(pair.mt.next_event());
    for (const int second : {10, 20}) {
        EXPECT_EQ(pair.mt.deadline(), kStart + seconds(second));
        pair.mt.on_time(kStart + seconds(second) - kTick);
        EXPECT_TRUE(pair.mt.take_output().empty());
        pair.mt.on_time(kStart + seconds(second));
        EXPECT_FALSE(pair.mt.take_output().empty());
    }
    EXPECT_EQ(pair.mt.deadline(), kStart + seconds(30));
    pair.mt.on_time(kStart + seconds(30));
    EXPECT_EQ(std::get<PeerGone>(pair.mt.next_event().value()).reason.code, Errc::TimedOut);
    EXPECT_FALSE(pair.mt.take_output().empty()); // BYE
}

TEST_P(Timer, StepsOfTheDevice) {
    for (int place = 0; place < 4; ++place) {
        Exchange exchange(GetParam());
        int from_device = 0;
        exchange.wire = [&](Role from, Bytes& octets) {
            // HELLO, L1, L3, CONFIRM come in this order; the one at `place` and all that follows is
            // lost
            if (from == Role::Device && !octets.empty() && from_device++ >= place) {
                octets.clear();
            }
        };
        const BootTime start = exchange.now;
        exchange.run();
        const auto& gone = exchange.mt.outcome.gone;
        if (place == 0) {
            EXPECT_EQ(gone.has_value(), GetParam() == Framing::LengthPrefixed);
            continue;
        }
        ASSERT_TRUE(gone);
        EXPECT_EQ(gone->code, Errc::TimedOut);
        EXPECT_LE(exchange.now, start + seconds(40) + kTick);
    }
}

TEST_P(Timer, StepEndsAlthoughThePeerAnswersPings) {
    Pair pair(settings());
    EXPECT_EQ(pair.run_to(kStart, kStart + seconds(100)), kStart + seconds(30));
    EXPECT_EQ(std::get<PeerGone>(pair.mt.next_event().value()).reason.code, Errc::TimedOut);
    EXPECT_EQ(std::get<PeerGone>(pair.device.next_event().value()).reason.code,
              Errc::LinkLost); // BYE
}

TEST_P(Timer, OwnerOfTheMtMayTakeItsTime) {
    Pair pair(settings());
    pair.device.request_key_info({test::kDeviceId});
    pair.pass(kStart);
    ASSERT_TRUE(pair.mt.next_event());
    // the device's own step ends first
    EXPECT_EQ(pair.run_to(kStart, kStart + seconds(100)), kStart + seconds(30));
    EXPECT_EQ(std::get<PeerGone>(pair.device.next_event().value()).reason.code, Errc::TimedOut);
}

// The owner of the MT's session answers after 25 seconds in which nothing else came: the device's
// time begins with the answer, whichever it is.
TEST_P(Timer, StepBeginsWithTheAnswer) {
    const BootTime late = kStart + seconds(25);
    const auto left_after = [&](auto ask, auto answer) {
        Pair pair(settings());
        ask(pair);
        pair.mt.receive(pair.device.take_output(), kStart);
        EXPECT_TRUE(pair.mt.next_event());
        answer(pair.mt);
        // A PING falls due, then the end of the step; liveness is kept up from here.
        BootTime now = late;
        while (!pair.mt.finished()) {
            pair.device.receive(pair.mt.take_output(), now);
            pair.mt.receive(pair.device.take_output(), now);
            now = pair.mt.deadline();
            pair.mt.on_time(now);
        }
        return now - late;
    };
    const auto l1 = [](Pair& pair) { pair.device.request_key_info({test::kDeviceId}); };
    EXPECT_EQ(
        left_after(l1, [&](MtSession& mt) { mt.answer_key_info(test::key_info(true), late); }),
        seconds(30));
    EXPECT_EQ(left_after(l1,
                         [&](MtSession& mt) {
                             mt.refuse(test::error_message(ErrorCode::Pending), late); // 60 s
                         }),
              seconds(90));
    const auto resume = [](Pair& pair) { pair.device.resume({{test::counting<16>(1)}}); };
    EXPECT_EQ(left_after(resume, [&](MtSession& mt) { mt.answer_resume({}, late); }), seconds(30));
    const auto confirm = [](Pair& pair) {
        pair.device.confirm(test::confirm(), test::counting<32>(1));
    };
    EXPECT_EQ(left_after(confirm,
                         [&](MtSession& mt) {
                             mt.answer_confirm({ConfirmAck::Status::Refused, {}},
                                               test::counting<32>(1), late);
                         }),
              seconds(30));
}

TEST_P(Timer, BootstrappingMayLastAsLongAsTheSession) {
    Pair pair(settings());
    pair.device.request_key_info({test::kDeviceId});
    pair.pass(kStart);
    ASSERT_TRUE(pair.mt.next_event());
    pair.mt.answer_key_info(test::key_info(false), kStart);
    pair.pass(kStart);
    ASSERT_TRUE(pair.device.next_event());
    pair.device.request_establishment(test::establishment_request(false));
    pair.pass(kStart);
    ASSERT_TRUE(pair.mt.next_event());
    const BootTime late = kStart + seconds(200);
    EXPECT_EQ(pair.run_to(kStart, late), late);
    static_cast<void>(pair.mt.answer_establishment(test::establishment_answer(), late));
    pair.pass(late);
    EXPECT_TRUE(std::holds_alternative<EstablishmentReceived>(pair.device.next_event().value()));
    // from here the MT waits 30 seconds for CONFIRM
    EXPECT_EQ(pair.run_to(late, late + seconds(60)), late + seconds(30));
}

TEST_P(Timer, RetryAfterIsAddedToTheStep) {
    Pair pair(settings());
    pair.device.request_key_info({test::kDeviceId});
    pair.pass(kStart);
    ASSERT_TRUE(pair.mt.next_event());
    pair.mt.refuse(test::error_message(ErrorCode::Pending), kStart); // 60 seconds
    pair.pass(kStart);
    EXPECT_EQ(pair.run_to(kStart, kStart + seconds(200)), kStart + seconds(90));
}

TEST_P(Timer, ApprovedPeersMayIdleUntilTheSessionEnds) {
    for (const bool resumed : {false, true}) {
        Pair pair(settings());
        if (resumed) {
            pair.device.resume({{test::counting<16>(1), test::counting<16>(2)}});
            pair.pass(kStart);
            ASSERT_TRUE(pair.mt.next_event());
            pair.mt.answer_resume(test::resume_answer(ResumeAnswer::Status::Known), kStart);
        } else {
            pair.device.confirm(test::confirm(), test::counting<32>(1));
            pair.pass(kStart);
            ASSERT_TRUE(pair.mt.next_event());
            pair.mt.answer_confirm(test::confirm_ack(), test::counting<32>(1), kStart);
        }
        pair.pass(kStart);
        EXPECT_EQ(pair.run_to(kStart, kStart + seconds(1000)), kStart + seconds(300));
        EXPECT_EQ(std::get<PeerGone>(pair.mt.next_event().value()).reason.code, Errc::TimedOut);
    }
}

TEST_P(Timer, SettingsAreObeyed) {
    SessionSettings short_ones = settings();
    short_ones.hello_timeout = milliseconds(500);
    short_ones.step_timeout = milliseconds(700);
    short_ones.session_timeout = milliseconds(900);
    DeviceEnd alone(short_ones, kStart);
    expect_end(alone, kStart + milliseconds(500), Errc::TimedOut);
    Pair step(short_ones);
    EXPECT_EQ(step.run_to(kStart, kStart + seconds(5)), kStart + milliseconds(700));
    short_ones.step_timeout = seconds(10);
    Pair session(short_ones);
    EXPECT_EQ(session.run_to(kStart, kStart + seconds(5)), kStart + milliseconds(900));
}

TEST_P(Timer, DeadlineNeverLiesInThePastForLong) {
    // on_time() at the deadline always moves it or ends the session: owners that loop on it do not
    // spin
    Pair pair(settings());
    BootTime now = kStart;
    for (int turns = 0; !pair.mt.finished(); ++turns) {
        ASSERT_LT(turns, 100);
        const BootTime next = pair.mt.deadline();
        ASSERT_GT(next, now);
        now = next;
        pair.mt.on_time(now);
    }
    EXPECT_GT(pair.mt.deadline(), now);
}

} // namespace
} // namespace mtkey::local
