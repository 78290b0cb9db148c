// SPDX-License-Identifier: Apache-2.0
#include "daemon/reactor.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace mtkey::daemon {
namespace {

using namespace std::chrono_literals;

TEST(Reactor, TimersFireInTheirOrderAndMayBeSetAnew) {
    Reactor reactor;
    const SystemClock clock;
    std::vector<int> fired;
    const auto first = reactor.timer();
    const auto second = reactor.timer();
    auto gone = reactor.timer();
    const auto cancelled = reactor.timer();
    const auto now = clock.boot_now();
    second->at(now + 2ms, [&] {
        fired.push_back(2);
        reactor.stop(7);
    });
    cancelled->at(now, [&] { fired.push_back(3); });
    gone->at(now - 1s, [&] {
        fired.push_back(0);
        gone.reset();
        cancelled->cancel();
        first->at(now - 1h, [&] { fired.push_back(1); }); // in the past: at once
    });
    EXPECT_EQ(reactor.run(), 7);
    EXPECT_EQ(fired, (std::vector{0, 1, 2}));
}

TEST(Reactor, DrainDoesWhatWasPosted) {
    Reactor reactor;
    reactor.stop(0);
    EXPECT_EQ(reactor.run(), 0);
    int done = 0;
    reactor.post([&] {
        ++done;
        reactor.post([&] { done += 100; }); // behind the end
    });
    reactor.stop(1); // a second SIGTERM
    reactor.post([&] { ++done; });
    reactor.drain();
    EXPECT_EQ(done, 2);
}

} // namespace
} // namespace mtkey::daemon
