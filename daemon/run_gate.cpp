// SPDX-License-Identifier: Apache-2.0
#include "daemon/run_gate.hpp"

#include <algorithm>

namespace mtkey::daemon {

using std::chrono::milliseconds;

RunGate::RunGate(const keys::RunLimits& limits, const Clock& clock, RandomSource& random,
                 PastKeeper& past)
    : clock_(clock), past_(past), back_off_(clock, random), budget_(limits, clock) {
    switch (past_.origin()) {
    case PastKeeper::Origin::FirstStart:
        break;
    case PastKeeper::Origin::Remembered:
        budget_.restore(past_.get().runs);
        break;
    case PastKeeper::Origin::Lost:
        assume_busy_past();
        break;
    }
}

/// Written at once: the next start must not find a memory that knows of nothing.
void RunGate::assume_busy_past() {
    std::vector<keys::BegunRun> runs;
    {
        const std::scoped_lock lock(mutex_);
        budget_.assume_busy_past();
        runs = budget_.runs();
    }
    past_.change([&](auto& past) { past.runs = std::move(runs); });
}

Result<void> RunGate::admit(const RunRequest& request,
                            const std::optional<keys::ContextFacts>& context) {
    if (request.asked_by.empty()) {
        back_off_.reset();
        return {};
    }
    const bool good = context && keys::usable(*context, clock_);
    auto wait = back_off_.wait();
    {
        const std::scoped_lock lock(mutex_);
        wait = std::max(wait, budget_.wait(keys::device_tag(request.asked_by), good));
        if (good) {
            // Nobody but the device says that its B-TID is of no use (threats L3).
            const auto started = context->use_deadline - keys::kLongestUse;
            wait = std::max(wait, started + budget_.least_age() - clock_.boot_now());
        }
    }
    if (wait > milliseconds(0)) {
        const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait);
        return fail(Errc::RetryAfter,
                    is_user(request.asked_by) ? "bootstrapping; root need not wait"
                                              : "bootstrapping",
                    static_cast<std::uint32_t>(seconds.count()));
    }
    return {};
}

void RunGate::began(const std::string& asked_by) {
    std::vector<keys::BegunRun> runs;
    {
        const std::scoped_lock lock(mutex_);
        budget_.spend(asked_by.empty() ? std::string() : keys::device_tag(asked_by));
        runs = budget_.runs();
    }
    past_.change([&](auto& past) { past.runs = std::move(runs); });
}

void RunGate::ended(const Result<void>& result, std::optional<std::chrono::seconds> retry_after) {
    if (result) {
        back_off_.reset();
    } else {
        back_off_.failed(result.error(), retry_after);
    }
}

void RunGate::met(const std::string& uicc) {
    if (!uicc.empty() && uicc != uicc_) {
        back_off_.reset();
        uicc_ = uicc;
    }
}

} // namespace mtkey::daemon
