// SPDX-License-Identifier: Apache-2.0
// A connection's octets, session and procedure on the reactor, over a socket pair.
#include "daemon/device_link.hpp"

#include "unit/daemon/procedure_fixture.hpp"

#include <csignal>
#include <sys/socket.h>
#include <unistd.h>

namespace mtkey::daemon {
namespace {

/// The far end: a device's session that is driven by hand.
class DeviceLinkTest : public ProcedureTest {
protected:
    DeviceLinkTest() {
        std::signal(SIGPIPE, SIG_IGN); // as main() does
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
        far = UniqueFd(ends[0]);
        transports::Connection connection;
        connection.fd = UniqueFd(ends[1]);
        connection.transport = "serial0";
        connection.peer = "tty";
        connection.reliable = true;
        link = std::make_unique<DeviceLink>(reactor, mt, std::move(connection), [this] {
            ended = true;
            reactor.stop(0);
        });
    }
    /// What the device has to say.
    void send() {
        const auto octets = device.take_output();
        ASSERT_EQ(::write(far.get(), octets.data(), octets.size()),
                  static_cast<ssize_t>(octets.size()));
    }
    /// The loop, until the device is told something.
    std::optional<local::DeviceEvent> next() {
        for (int turn = 0; turn < 200; ++turn) {
            if (auto event = device.next_event()) {
                return event;
            }
            reactor.post([this] { reactor.stop(0); });
            reactor.drain();
            std::array<std::uint8_t, 4096> buffer{};
            const auto got = ::read(far.get(), buffer.data(), buffer.size());
            if (got > 0) {
                device.receive(ByteView(buffer).first(static_cast<std::size_t>(got)),
                               clock.boot_now());
            }
        }
        return std::nullopt;
    }

    UniqueFd far;
    local::DeviceSession device{{}, random, clock.boot_now()};
    std::unique_ptr<DeviceLink> link;
    bool ended = false;
};

/// The answer comes from within the question, and nobody is there any more to hear it.
TEST_F(DeviceLinkTest, RefusedAtOnceAndGone) {
    card.fail_bootstrap = Error{Errc::RetryAfter, 60, "bootstrapping"};
    send(); // HELLO
    ASSERT_TRUE(std::holds_alternative<local::Connected>(next().value()));
    device.request_key_info({kDevice});
    send();
    ASSERT_TRUE(std::holds_alternative<local::KeyInfoReceived>(next().value()));
    device.request_establishment({naf_id(), kDevice, {}, local::Reason::NoKey});
    send();
    far.reset();
    for (int turn = 0; turn < 200 && !ended; ++turn) {
        reactor.post([this] { reactor.stop(0); });
        reactor.drain();
    }
    EXPECT_TRUE(ended);
    EXPECT_EQ(card.bootstraps, 1U);
}

/// What an ended session has left to say is held for a moment, whatever the peer goes on sending.
TEST_F(DeviceLinkTest, PeerThatTakesNothingEnds) {
    link.reset();     // its clock stands still
    SystemClock real; // as the loop's timers
    Mt real_mt(reactor, config, real, random, card, store);
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    const UniqueFd peer(ends[0]);
    const int small = 4096;
    ::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    transports::Connection connection;
    connection.fd = UniqueFd(ends[1]);
    connection.transport = "serial0";
    connection.peer = "tty";
    connection.reliable = true;
    bool over = false;
    DeviceLink slow(reactor, real_mt, std::move(connection), [&] {
        over = true;
        reactor.stop(0);
    });
    local::DeviceSession session{{}, random, real.boot_now()};
    Bytes out = session.take_output(); // HELLO
    for (int i = 0; i < 600; ++i) {
        append(out, Bytes{0x4D, 0x4B, 0, 5, 1, 0, 0x0B, 0, 0xA0}); // PING
    }
    append(out, Bytes{0x4D, 0x4B, 0, 5, 1, 0, 0x0D, 0, 0xA0}); // BYE
    unsigned turns = 0;
    const auto trickle = reactor.timer();
    const auto give_up = reactor.timer();
    give_up->at(real.boot_now() + 10s, [this] { reactor.stop(1); });
    const std::function<void()> again = [&] {
        ++turns;
        if (out.empty()) {
            (void)!::write(peer.get(), "x", 1); // one octet now and then
        } else if (const auto sent =
                       ::write(peer.get(), out.data(), std::min<std::size_t>(out.size(), 900));
                   sent > 0) {
            out.erase(out.begin(), out.begin() + sent);
        }
        trickle->at(real.boot_now() + 20ms, again);
    };
    trickle->at(real.boot_now(), again);
    EXPECT_EQ(reactor.run(), 0) << "after " << turns << " turns";
    EXPECT_TRUE(over);
    EXPECT_TRUE(out.empty());
}

} // namespace
} // namespace mtkey::daemon
