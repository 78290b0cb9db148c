// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/random.hpp"
#include "daemon/card_service.hpp"
#include "daemon/past_keeper.hpp"
#include "keys/bootstrap_budget.hpp"
#include "keys/run_back_off.hpp"

#include <mutex>
#include <optional>
#include <string>

namespace mtkey::daemon {

/// Whether a bootstrapping may begin now: the one place that asks the budget and the back-off. Who
/// joins a run that is under way does not come here. On the reactor's thread but for began().
class RunGate {
public:
    RunGate(const keys::RunLimits& limits, const Clock& clock, RandomSource& random,
            PastKeeper& past);

    /// RetryAfter, detail = seconds. `context`: the present one, nothing when there is none.
    // An administrator is never refused, though his runs count: he is the one who finds out whether
    // it works now, and could get the same by starting the daemon anew. Another user, whom polkit
    // lets bootstrap unasked when he sits at the console, has what one device has.
    [[nodiscard]] Result<void> admit(const RunRequest& request,
                                     const std::optional<keys::ContextFacts>& context);
    /// The first exchange comes next: counted, and written down before. On the worker's thread.
    void began(const std::string& asked_by);
    void ended(const Result<void>& result, std::optional<std::chrono::seconds> retry_after = {});
    /// This card is there; another one than the last has done nothing wrong yet.
    void met(const std::string& uicc);
    /// What is remembered of the past is not to be believed.
    void assume_busy_past();

private:
    const Clock& clock_;
    PastKeeper& past_;
    keys::RunBackOff back_off_;
    std::string uicc_;
    std::mutex mutex_; ///< guards the budget
    keys::BootstrapBudget budget_;
};

} // namespace mtkey::daemon
