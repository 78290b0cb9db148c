// SPDX-License-Identifier: Apache-2.0
#include "network/nafkc/zn_pool.hpp"

#include "fakes/raw_tcp.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

namespace mtkey::nafkc {
namespace {

using fakes::raw_receive;
using fakes::raw_send;

http::ClientSettings settings_for(const fakes::RawServer& server) {
    http::ClientSettings settings;
    settings.fqdn = "bsf.example.org";
    settings.address = server.address();
    return settings;
}

TEST(ZnPool, KeepsItsConnections) {
    fakes::RawServer server([](UniqueFd& fd, int) {
        while (!raw_receive(fd.get(), "\r\n\r\n").empty()) {
            raw_send(fd.get(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    {
        ZnPool pool(settings_for(server), 2);
        for (int i = 0; i < 4; ++i) {
            EXPECT_TRUE(pool.exchange({}));
        }
        EXPECT_EQ(server.connections(), 1);
    }
}

TEST(ZnPool, CloseEndsWhatIsUnderWayAndWhatComesLater) {
    std::mutex mutex;
    std::condition_variable changed;
    bool asked = false;
    fakes::RawServer server([&](UniqueFd& fd, int) {
        raw_receive(fd.get(), "\r\n\r\n");
        {
            const std::lock_guard lock(mutex);
            asked = true;
            changed.notify_all();
        }
        raw_receive(fd.get());
    });
    ZnPool pool(settings_for(server), 1);
    Result<HttpResponse> waiting;
    // The second one waits for the only connection.
    std::thread first([&] { EXPECT_EQ(pool.exchange({}).error().code, Errc::Cancelled); });
    {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return asked; });
    }
    std::thread second([&] { waiting = pool.exchange({}); });
    pool.close();
    first.join();
    second.join();
    ASSERT_FALSE(waiting);
    EXPECT_EQ(waiting.error().code, Errc::Cancelled);
    EXPECT_EQ(pool.exchange({}).error().code, Errc::Cancelled);
}

} // namespace
} // namespace mtkey::nafkc
