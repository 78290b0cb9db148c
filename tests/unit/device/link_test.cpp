// SPDX-License-Identifier: Apache-2.0
#include "base/random.hpp"
#include "device/link.hpp"
#include "unit/device/fake_mt.hpp"

#include <array>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace mtkey::device {
namespace {

class LinkTest : public ::testing::Test {
protected:
    transports::Connection connection(bool reliable = true) {
        int pair[2] = {-1, -1};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        far_.reset(pair[1]);
        transports::Connection out;
        out.fd.reset(pair[0]);
        out.reliable = reliable;
        return out;
    }
    SystemClock clock_;
    SystemRandom random_;
    Limits limits_{clock_, clock_.boot_now() + std::chrono::seconds(20)};
    UniqueFd far_;
};

TEST_F(LinkTest, EndOfTheLinkIsAnErrorOnlyForWhoeverWaitsForTheMt) {
    Link link(connection(), {}, random_, limits_);
    far_.reset();
    const UniqueFd done(::eventfd(1, EFD_CLOEXEC));
    EXPECT_TRUE(link.attend(done.get()));
    EXPECT_EQ(link.next_event().error().code, Errc::LinkLost);
    EXPECT_EQ(link.next_event().error().code, Errc::LinkLost) << "and again";
    EXPECT_TRUE(link.flush());
}

TEST_F(LinkTest, SilentPeerTimesOut) {
    local::SessionSettings timers;
    timers.hello_timeout = std::chrono::milliseconds(0);
    Link link(connection(), timers, random_, limits_);
    EXPECT_EQ(link.next_event().error().code, Errc::TimedOut);
}

TEST_F(LinkTest, CancelledWhileItWaits) {
    const UniqueFd cancel(::eventfd(1, EFD_CLOEXEC));
    limits_.cancel_fd = cancel.get();
    Link link(connection(), {}, random_, limits_);
    EXPECT_EQ(link.next_event().error().code, Errc::Cancelled);
    EXPECT_EQ(link.attend(far_.get()).error().code, Errc::Cancelled);
}

TEST_F(LinkTest, GarbageEndsInAnErrorNotInALoop) {
    Link link(connection(), {}, random_, limits_);
    const Bytes garbage(100'000, 0xFF);
    std::size_t sent = 0;
    while (sent < garbage.size()) {
        const ssize_t done =
            ::send(far_.get(), garbage.data(), garbage.size() - sent, MSG_NOSIGNAL);
        if (done <= 0) {
            break;
        }
        sent += static_cast<std::size_t>(done);
    }
    ASSERT_GT(sent, 66'000U);
    EXPECT_EQ(link.next_event().error().code, Errc::ProtocolViolation);
}

} // namespace
} // namespace mtkey::device
