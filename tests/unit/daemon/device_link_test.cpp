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

} // namespace
} // namespace mtkey::daemon
