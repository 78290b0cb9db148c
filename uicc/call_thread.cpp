// SPDX-License-Identifier: Apache-2.0
#include "uicc/call_thread.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

namespace mtkey::uicc {
namespace {
// A call that is about to end is worth waiting for: leaving its thread costs the card.
constexpr std::chrono::milliseconds kGrace{300};

std::atomic<unsigned> stuck{0};
} // namespace

struct CallThread::Shared {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::function<void()> call;
    bool busy = false;
    bool ending = false;
    bool left_behind = false;
};

void CallThread::loop(const std::shared_ptr<Shared>& shared) {
    std::unique_lock lock(shared->mutex);
    while (true) {
        shared->changed.wait(lock, [&] { return shared->call || shared->ending; });
        if (!shared->call) {
            return;
        }
        {
            auto call = std::exchange(shared->call, nullptr);
            lock.unlock();
            call();
            call = nullptr; // what it holds may itself take its time to end
            lock.lock();
        }
        shared->busy = false;
        if (shared->left_behind) {
            --stuck;
            return;
        }
        shared->changed.notify_all();
    }
}

Result<std::unique_ptr<CallThread>> CallThread::start() {
    auto shared = std::make_shared<Shared>();
    try {
        std::thread(loop, shared).detach();
    } catch (const std::system_error& error) {
        return fail(Errc::Internal, "no thread for the card",
                    static_cast<std::uint32_t>(error.code().value()));
    }
    return std::unique_ptr<CallThread>(new CallThread(std::move(shared)));
}

CallThread::~CallThread() {
    const std::lock_guard lock(shared_->mutex);
    shared_->ending = true;
    shared_->changed.notify_all();
}

CallThread::End CallThread::run(std::function<void()> call, std::chrono::milliseconds limit,
                                const std::stop_token& stop) {
    if (left_behind_) {
        return End::TooLate;
    }
    std::unique_lock lock(shared_->mutex);
    shared_->call = std::move(call);
    shared_->busy = true;
    shared_->changed.notify_all();
    const auto done = [this] { return !shared_->busy; };
    auto in_time = shared_->changed.wait_for(lock, stop, limit, done);
    if (!in_time && stop.stop_requested()) {
        in_time = shared_->changed.wait_for(lock, kGrace, done);
    }
    if (in_time) {
        return End::Done;
    }
    left_behind_ = true;
    shared_->left_behind = true;
    ++stuck;
    return stop.stop_requested() ? End::Stopped : End::TooLate;
}

unsigned stuck_threads() {
    return stuck;
}

} // namespace mtkey::uicc
