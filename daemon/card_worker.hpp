// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/card_service.hpp"
#include "daemon/card_work.hpp"
#include "daemon/reactor.hpp"
#include "daemon/run_gate.hpp"
#include "uicc/reader_monitor.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace mtkey::daemon {

/// The card worker of design.md section 3: one thread that does CardWork job by job, fed by the
/// reactor and by what watches the readers. The public side belongs to the reactor's thread.
class CardWorker final : public CardService {
public:
    /// Borrows all but `ports`.
    CardWorker(Reactor& reactor, const Config& config, const Clock& clock, RandomSource& random,
               PastKeeper& past, CardPorts ports);
    ~CardWorker() override;
    CardWorker(const CardWorker&) = delete;
    CardWorker& operator=(const CardWorker&) = delete;

    void set_changed(std::function<void()> changed) { changed_ = std::move(changed); }
    void set_run_failed(std::function<void(const Error&)> failed) {
        run_failed_ = std::move(failed);
    }
    Result<void> start();
    /// Cancels, joins both threads, wipes card and context. False when the worker does not come
    /// back from PC/SC: it uses this object still, so the process must end without destroying it.
    [[nodiscard]] bool stop();

    [[nodiscard]] const CardState& state() const override { return state_; }
    [[nodiscard]] Statistics statistics() const override;
    void bootstrap(const RunRequest& request, std::function<void(Result<void>)> done) override;
    void naf_key(const kdf::NafId& naf_id, const std::string& b_tid,
                 std::function<void(Result<NafKey>)> done) override;
    void send_pin(SecretBytes pin, std::function<void(Result<void>)> done) override;
    bool cancel() override;
    void discard(const std::string& b_tid, std::function<void(Result<void>)> done) override;
    void keep_from_resuming(const std::string& b_tid) override { past_.forget_context(b_tid); }
    void contradiction_settled() { work_.contradiction_settled(); } ///< CardWork's
    void assume_busy_past() { gate_.assume_busy_past(); }           ///< RunGate's
    void prepare_for_sleep(std::function<void()> done) override;
    void wake_up() override;

private:
    using Job = std::function<void()>;
    bool enqueue(Job job); ///< false when we are ending
    void loop();
    Job next(); ///< waits for it; none when we are ending
    void end_waiters(const Result<void>& result);
    void on_report(const uicc::ReaderReport& report); ///< on the watch's thread
    /// On the worker: sends the present state to the reactor, then `then` there.
    void publish(std::function<void()> then);

    Reactor& reactor_;
    const Clock& clock_;
    std::function<void()> changed_;
    std::function<void(const Error&)> run_failed_;
    CardState state_;
    Statistics statistics_;
    bool running_ = false; ///< a bootstrapping is queued or under way
    std::vector<std::function<void(Result<void>)>> waiters_;
    std::uint64_t refused_ = 0; ///< runs that the gate has not let through
    PastKeeper& past_;
    RunGate gate_;

    Interruption interruption_;
    CardPorts ports_;
    CardWork work_; ///< the worker thread's
    /// Held from making a state to sending it, so that an older one never comes behind a newer one.
    std::mutex publish_mutex_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable stopped_;
    std::deque<Job> jobs_;  ///< under mutex_
    bool stopping_ = false; ///< under mutex_, as is ended_
    bool ended_ = false;
    std::unique_ptr<ReaderWatch> watch_;
    std::thread thread_;
};

} // namespace mtkey::daemon
