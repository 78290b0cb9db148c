// SPDX-License-Identifier: Apache-2.0
#include "daemon/card_worker.hpp"

#include "uicc/pcsc.hpp"

#include <new>
#include <unistd.h>
#include <utility>

namespace mtkey::daemon {
namespace {
// A card that is asked something answers, or is not waited for any longer.
constexpr std::chrono::seconds kStopLimit{3};
// Of threads left behind in SCardConnect (design.md section 3); uicc::connect_within makes no more.
constexpr unsigned kMostStuck = 2;

/// A job without memory fails; the next one may have some.
template <typename Work>
auto with_memory(Work work) -> decltype(work()) {
    try {
        return work();
    } catch (const std::bad_alloc&) {
        return fail(Errc::LimitExceeded, "no memory");
    }
}
} // namespace

CardWorker::CardWorker(Reactor& reactor, const Config& config, const Clock& clock,
                       RandomSource& random, PastKeeper& past, CardPorts ports)
    : reactor_(reactor),
      clock_(clock),
      past_(past),
      gate_(config.gba.limits, clock, random, past),
      ports_(std::move(ports)),
      work_(config, clock, random, interruption_, past, ports_) {
    statistics_ = work_.statistics();
    work_.set_changed([this] { publish({}); });
}

Statistics CardWorker::statistics() const {
    auto out = statistics_;
    out["gba_runs_refused"] = refused_;
    return out;
}

CardWorker::~CardWorker() {
    if (!stop()) {
        ::_exit(1);
    }
}

Result<void> CardWorker::start() {
    thread_ = std::thread([this] { loop(); });
    watch_ = MTKEY_TRY(ports_.watch([this](const auto& report) { on_report(report); }));
    return {};
}

void CardWorker::on_report(const uicc::ReaderReport& report) {
    {
        const std::scoped_lock lock(publish_mutex_);
        if (interruption_.card_left(report)) {
            // The worker may be in the middle of something: what the card has given is not to be
            // used for one moment longer.
            reactor_.post([this] {
                state_.state = CardState::State::NoCard;
                state_.identity.clear();
                state_.uicc.clear();
                state_.context.reset();
                if (changed_) {
                    changed_();
                }
            });
        }
    }
    enqueue([this, report] {
        work_.readers_changed(report);
        publish({});
    });
}

bool CardWorker::stop() {
    watch_.reset();
    std::deque<Job> dropped; // with the callbacks in them: not under the lock
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
        dropped.swap(jobs_);
    }
    dropped.clear();
    interruption_.cancel();
    wake_.notify_all();
    bool ended = true;
    if (thread_.joinable()) {
        std::unique_lock lock(mutex_);
        ended = stopped_.wait_for(lock, kStopLimit, [this] { return ended_; });
        lock.unlock();
        if (ended) {
            thread_.join();
        } else {
            thread_.detach();
        }
    }
    end_waiters(fail(Errc::Cancelled, "the daemon ends"));
    return ended;
}

void CardWorker::end_waiters(const Result<void>& result) {
    running_ = false;
    for (auto& waiter : std::exchange(waiters_, {})) {
        waiter(result);
    }
}

bool CardWorker::enqueue(Job job) {
    {
        const std::scoped_lock lock(mutex_);
        if (stopping_) {
            return false;
        }
        jobs_.push_back(std::move(job));
    }
    wake_.notify_one();
    return true;
}

void CardWorker::loop() {
    while (auto job = next()) {
        job();
        if (uicc::stuck_threads() >= kMostStuck) {
            log(LogLevel::Error, "pcscd holds our threads: ending, to be started anew");
            reactor_.stop(1);
        }
    }
    // Here, because the PC/SC handles belong to this thread.
    work_.end();
    const std::scoped_lock lock(mutex_);
    ended_ = true;
    stopped_.notify_all();
}

CardWorker::Job CardWorker::next() {
    std::unique_lock lock(mutex_);
    const auto something = [this] { return stopping_ || !jobs_.empty(); };
    if (const auto when = work_.retry_at()) {
        if (!wake_.wait_for(lock, *when - clock_.boot_now(), something)) {
            return [this] {
                work_.retry();
                publish({});
            };
        }
    } else {
        wake_.wait(lock, something);
    }
    if (stopping_) {
        return {};
    }
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    return job;
}

void CardWorker::publish(std::function<void()> then) {
    const std::scoped_lock lock(publish_mutex_);
    reactor_.post([this, state = work_.state(), statistics = work_.statistics(),
                   then = std::move(then)]() mutable {
        state_ = std::move(state);
        statistics_ = std::move(statistics);
        gate_.met(state_.uicc);
        if (changed_) {
            changed_();
        }
        if (then) {
            then();
        }
    });
}

void CardWorker::bootstrap(const RunRequest& request, std::function<void(Result<void>)> done) {
    if (running_) {
        waiters_.push_back(std::move(done)); // joined: that costs nothing
        return;
    }
    const auto context = state_.state == CardState::State::Ready ? state_.context : std::nullopt;
    if (!request.force && context && keys::usable(*context, clock_)) {
        done({});
        return;
    }
    if (const auto admitted = gate_.admit(request, context); !admitted) {
        ++refused_;
        done(admitted);
        return;
    }
    waiters_.push_back(std::move(done));
    running_ = true;
    interruption_.arm();
    const bool queued = enqueue([this, request] {
        const auto begins = [&] { gate_.began(request.asked_by); };
        const auto result = with_memory([&] { return work_.bootstrap(request.force, begins); });
        publish([this, result, delay = work_.retry_after()] {
            gate_.ended(result, delay);
            if (!result && run_failed_) {
                run_failed_(result.error());
            }
            end_waiters(result);
        });
    });
    if (!queued) {
        end_waiters(fail(Errc::Cancelled, "the daemon ends"));
    }
}

void CardWorker::naf_key(const kdf::NafId& naf_id, const std::string& b_tid,
                         std::function<void(Result<NafKey>)> done) {
    enqueue([this, naf_id, b_tid, done = std::move(done)] {
        // std::function wants copies; the key has none.
        auto key = std::make_shared<Result<NafKey>>(
            with_memory([&] { return work_.naf_key(naf_id, b_tid); }));
        publish([key, done] { done(std::move(*key)); });
    });
}

void CardWorker::send_pin(SecretBytes pin, std::function<void(Result<void>)> done) {
    // std::function wants copies; the PIN has none.
    auto shared = std::make_shared<SecretBytes>(std::move(pin));
    enqueue([this, shared, done = std::move(done)] {
        publish([done, result = with_memory([&] { return work_.send_pin(std::move(*shared)); })] {
            done(result);
        });
    });
}

bool CardWorker::cancel() {
    return interruption_.cancel();
}

void CardWorker::discard(const std::string& b_tid, std::function<void(Result<void>)> done) {
    enqueue([this, b_tid, done = std::move(done)] {
        publish(
            [done, result = with_memory([&] { return work_.discard(b_tid); })] { done(result); });
    });
}

void CardWorker::prepare_for_sleep(std::function<void()> done) {
    interruption_.cancel();
    enqueue([this, done = std::move(done)] { // or we end, and logind's lock with us
        work_.fall_asleep();
        publish(done);
    });
}

void CardWorker::wake_up() {
    enqueue([this] {
        work_.wake_up();
        publish({});
    });
}

} // namespace mtkey::daemon
