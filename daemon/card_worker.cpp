// SPDX-License-Identifier: Apache-2.0
#include "daemon/card_worker.hpp"

#include <utility>

namespace mtkey::daemon {

CardWorker::CardWorker(Reactor& reactor, const Config& config, const Clock& clock,
                       RandomSource& random)
    : reactor_(reactor), config_(config), clock_(clock), work_(config, clock, random) {
    statistics_ = work_.statistics();
}

CardWorker::~CardWorker() {
    stop();
}

Result<void> CardWorker::start() {
    thread_ = std::thread([this] { loop(); });
    uicc::ReaderFilter filter;
    filter.pattern = config_.uicc.reader;
    if (config_.uicc.allow_virtual) {
        filter.ignore.clear();
    }
    filter.ignore.insert(filter.ignore.end(), config_.uicc.ignore.begin(),
                         config_.uicc.ignore.end());
    monitor_ = MTKEY_TRY(
        uicc::ReaderMonitor::start(std::move(filter), [this](const uicc::ReaderReport& report) {
            enqueue([this, report] {
                work_.readers_changed(report);
                publish({});
            });
        }));
    return {};
}

void CardWorker::stop() {
    monitor_.reset();
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
        jobs_.clear();
    }
    work_.cancel();
    wake_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
    for (auto& waiter : std::exchange(waiters_, {})) {
        waiter(fail(Errc::Cancelled, "the daemon ends"));
    }
}

void CardWorker::enqueue(Job job) {
    {
        const std::scoped_lock lock(mutex_);
        if (stopping_) {
            return;
        }
        jobs_.push_back(std::move(job));
    }
    wake_.notify_one();
}

void CardWorker::loop() {
    while (true) {
        Job job;
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
            if (stopping_) {
                break;
            }
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        job();
    }
    // Here, because the PC/SC handles belong to this thread.
    work_.readers_changed(uicc::ReaderReport{.service = false, .readers = {}});
}

void CardWorker::publish(std::function<void()> then) {
    reactor_.post([this, state = work_.state(), statistics = work_.statistics(),
                   then = std::move(then)]() mutable {
        state_ = std::move(state);
        statistics_ = std::move(statistics);
        if (changed_) {
            changed_();
        }
        if (then) {
            then();
        }
    });
}

void CardWorker::bootstrap(bool force, std::function<void(Result<void>)> done) {
    if (!running_ && !force && state_.state == CardState::State::Ready && state_.context &&
        keys::usable(*state_.context, clock_.utc_now())) {
        done({});
        return;
    }
    waiters_.push_back(std::move(done));
    if (running_) {
        return; // joined
    }
    running_ = true;
    enqueue([this, force] {
        publish([this, result = work_.bootstrap(force)] {
            running_ = false;
            if (!result && run_failed_) {
                run_failed_(result.error());
            }
            for (auto& waiter : std::exchange(waiters_, {})) {
                waiter(result);
            }
        });
    });
}

void CardWorker::naf_key(const kdf::NafId& naf_id, const std::string& b_tid,
                         std::function<void(Result<NafKey>)> done) {
    enqueue([this, naf_id, b_tid, done = std::move(done)] {
        // std::function wants copies; the key has none.
        auto key = std::make_shared<Result<NafKey>>(work_.naf_key(naf_id, b_tid));
        publish([key, done] { done(std::move(*key)); });
    });
}

bool CardWorker::cancel() {
    if (!running_) {
        return false;
    }
    work_.cancel();
    return true;
}

void CardWorker::discard(std::function<void()> done) {
    enqueue([this, done = std::move(done)] {
        work_.discard();
        publish(done);
    });
}

} // namespace mtkey::daemon
