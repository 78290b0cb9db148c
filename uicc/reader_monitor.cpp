// SPDX-License-Identifier: Apache-2.0
#include "uicc/reader_monitor.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <fnmatch.h>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace mtkey::uicc {
namespace {
using std::chrono::milliseconds;
// A reader that comes between the list and the wait is seen only at the next one; so the first
// waits are short, and those of an idle daemon are long.
constexpr milliseconds kShortestWait{1000};
constexpr milliseconds kLongestWait{300'000};
constexpr milliseconds kCalm{200};
constexpr milliseconds kShortestBackOff{100};
// Short: service must be back within three seconds of pcscd.
constexpr milliseconds kLongestBackOff{1000};
constexpr milliseconds kCancelAgain{20};
constexpr milliseconds kStopLimit{1500};
} // namespace

bool ReaderFilter::accepts(std::string_view name) const {
    const std::string text(name);
    const auto matches = [&text](const std::string& glob) {
        return fnmatch(glob.c_str(), text.c_str(), 0) == 0;
    };
    return (pattern.empty() || matches(pattern)) && std::ranges::none_of(ignore, matches);
}

struct ReaderMonitor::Shared {
    ReaderFilter filter;
    Callback callback;
    std::mutex callback_mutex; ///< held while the callback runs; `silenced` under it
    bool silenced = false;
    std::atomic<unsigned> waits{0};
    std::mutex mutex; ///< the rest
    std::condition_variable changed;
    bool stopping = false;
    bool ended = false;
    /// The context that a wait may be going on in; shared with the thread that cancels it.
    std::shared_ptr<const ScardContext> context;

    void report(const ReaderReport& what) {
        const std::lock_guard lock(callback_mutex);
        if (!silenced) {
            callback(what);
        }
    }
    bool is_stopping() {
        const std::lock_guard lock(mutex);
        return stopping;
    }
    /// True when it was time to stop.
    bool pause(milliseconds time) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, time, [this] { return stopping; });
    }
    void publish(std::shared_ptr<const ScardContext> new_context) {
        const std::lock_guard lock(mutex);
        context = std::move(new_context);
    }

    /// Watches until the service goes or it is time to stop. True when it has reported something.
    bool watch(const ScardContext& on) {
        std::vector<ReaderState> known;
        std::optional<std::vector<ReaderState>> reported;
        auto wait = kShortestWait;
        while (!is_stopping()) {
            const auto asked = std::chrono::steady_clock::now();
            ++waits;
            auto states = wait_for_change(on, known, wait);
            if (!states) {
                if (states.error().code == Errc::Cancelled ||
                    states.error().code == Errc::TimedOut) {
                    continue;
                }
                break;
            }
            std::vector<ReaderState> seen;
            std::ranges::copy_if(
                *states, std::back_inserter(seen),
                [this](const ReaderState& state) { return filter.accepts(state.name); });
            known = *std::move(states);
            if (!reported || !std::ranges::equal(*reported, seen, &ReaderState::same_card)) {
                report({true, seen});
                reported = std::move(seen);
                wait = kShortestWait;
                continue;
            }
            wait = std::min(wait * 2, kLongestWait);
            // Somebody connected or left. A reader in a state that never settles must not keep us
            // busy either.
            if (std::chrono::steady_clock::now() - asked < kCalm && pause(kCalm)) {
                break;
            }
        }
        return reported.has_value();
    }
};

void ReaderMonitor::run(const std::shared_ptr<Shared>& shared) {
    auto back_off = kShortestBackOff;
    bool service = true;
    const auto say_gone = [&] {
        if (service) {
            shared->report({false, {}});
            service = false;
        }
    };
    while (!shared->is_stopping()) {
        if (auto context = ScardContext::establish()) {
            const auto on = std::make_shared<const ScardContext>(*std::move(context));
            shared->publish(on);
            service = true;
            if (shared->watch(*on)) {
                back_off = kShortestBackOff;
            }
            shared->publish(nullptr);
            if (shared->is_stopping()) {
                break;
            }
        }
        say_gone();
        if (shared->pause(back_off)) {
            break;
        }
        back_off = std::min(back_off * 2, kLongestBackOff);
    }
    const std::lock_guard lock(shared->mutex);
    shared->ended = true;
    shared->changed.notify_all();
}

Result<std::unique_ptr<ReaderMonitor>> ReaderMonitor::start(ReaderFilter filter,
                                                            Callback callback) {
    auto shared = std::make_shared<Shared>();
    shared->filter = std::move(filter);
    shared->callback = std::move(callback);
    try {
        std::thread(run, shared).detach();
    } catch (const std::system_error& error) {
        return fail(Errc::Internal, "no thread for the readers",
                    static_cast<std::uint32_t>(error.code().value()));
    }
    return std::unique_ptr<ReaderMonitor>(new ReaderMonitor(std::move(shared)));
}

unsigned ReaderMonitor::waits() const {
    return shared_->waits;
}

void ReaderMonitor::stop() {
    {
        const std::lock_guard lock(shared_->mutex);
        if (shared_->stopping) {
            return;
        }
        shared_->stopping = true;
        shared_->changed.notify_all();
    }
    {
        const std::lock_guard lock(shared_->callback_mutex);
        shared_->silenced = true;
    }
    // SCardCancel may be lost, and may itself block on a pcscd that hangs: it is repeated, by a
    // thread of its own.
    const auto cancel = [shared = shared_] {
        std::unique_lock lock(shared->mutex);
        while (!shared->ended) {
            if (const auto context = shared->context) {
                lock.unlock();
                context->cancel();
                lock.lock();
            }
            shared->changed.wait_for(lock, kCancelAgain, [&] { return shared->ended; });
        }
    };
    try {
        std::thread(cancel).detach();
    } catch (const std::system_error&) {
        // Without it the wait runs out by itself, behind our back.
    }
    std::unique_lock lock(shared_->mutex);
    shared_->changed.wait_for(lock, kStopLimit, [this] { return shared_->ended; });
}

} // namespace mtkey::uicc
