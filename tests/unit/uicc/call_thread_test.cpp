// SPDX-License-Identifier: Apache-2.0
#include "uicc/call_thread.hpp"

#include <gtest/gtest.h>

#include <future>
#include <semaphore>
#include <thread>

namespace mtkey::uicc {
namespace {

using namespace std::chrono_literals;
using End = CallThread::End;

/// A call that lasts until it is let go.
struct Held {
    std::shared_ptr<std::binary_semaphore> gate = std::make_shared<std::binary_semaphore>(0);
    std::function<void()> call() {
        return [gate = gate] { gate->acquire(); };
    }
    void let_go() { gate->release(); }
};

void wait_for_none_stuck() {
    while (stuck_threads() != 0) {
        std::this_thread::yield();
    }
}

TEST(CallThreadTest, CallsRunOnItOneAfterTheOther) {
    const auto thread = *CallThread::start();
    std::vector<std::thread::id> ids;
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(thread->run([&] { ids.push_back(std::this_thread::get_id()); }, 10s), End::Done);
    }
    ASSERT_EQ(ids.size(), 3U);
    EXPECT_EQ(ids[0], ids[2]);
    EXPECT_NE(ids[0], std::this_thread::get_id());
}

TEST(CallThreadTest, WhatTheCallHoldsEndsBeforeRunReturns) {
    const auto thread = *CallThread::start();
    std::thread::id where;
    std::shared_ptr<int> held(new int, [&](int* p) {
        where = std::this_thread::get_id();
        delete p;
    });
    EXPECT_EQ(thread->run([held = std::move(held)] {}, 10s), End::Done);
    EXPECT_NE(where, std::thread::id());
    EXPECT_NE(where, std::this_thread::get_id());
}

TEST(CallThreadTest, ThatTakesTooLongIsLeftBehind) {
    Held held;
    std::promise<void> ended;
    std::shared_ptr<int> cargo(new int, [&](int* p) {
        delete p;
        ended.set_value();
    });
    {
        const auto thread = *CallThread::start();
        EXPECT_EQ(thread->run([call = held.call(), cargo = std::move(cargo)] { call(); }, 20ms),
                  End::TooLate);
        EXPECT_TRUE(thread->left_behind());
        EXPECT_EQ(stuck_threads(), 1U);
        bool ran = false;
        EXPECT_EQ(thread->run([&] { ran = true; }, 10s), End::TooLate);
        EXPECT_FALSE(ran);
    }
    EXPECT_EQ(stuck_threads(), 1U); // the object has gone, the call has not
    held.let_go();
    ended.get_future().wait();
    wait_for_none_stuck();
}

TEST(CallThreadTest, StopTokenEndsTheWait) {
    Held held;
    const auto thread = *CallThread::start();
    std::stop_source stop;
    std::jthread stopper([&] { stop.request_stop(); });
    const auto started = std::chrono::steady_clock::now();
    EXPECT_EQ(thread->run(held.call(), 1h, stop.get_token()), End::Stopped);
    EXPECT_LT(std::chrono::steady_clock::now() - started, 30s);
    held.let_go();
    wait_for_none_stuck();
    // One that is about to end is waited for, even then.
    const auto another = *CallThread::start();
    bool ran = false;
    EXPECT_EQ(another->run([&] { ran = true; }, 1h, stop.get_token()), End::Done);
    EXPECT_TRUE(ran);
}

} // namespace
} // namespace mtkey::uicc
