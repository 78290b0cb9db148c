// SPDX-License-Identifier: Apache-2.0
#include "daemon/past_keeper.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <utility>

namespace mtkey::daemon {

PastKeeper::PastKeeper(keys::BootstrapMemory& memory, const Clock& clock,
                       const std::string& boot_id)
    : memory_(memory), clock_(clock) {
    auto loaded = memory_.load();
    if (!loaded) {
        origin_ = Origin::Lost;
        log_warning("what was remembered of earlier bootstrappings is lost", loaded.error());
    } else if (*loaded) {
        origin_ = Origin::Remembered;
        past_ = **std::move(loaded);
    }
    const bool had_context = past_.context.has_value();
    keys::move_to_boot(past_, boot_id, clock_);
    high_water_at_ = past_.saved_boot;
    if (had_context && !past_.context) {
        log(LogLevel::Warning,
            "the clock is behind a time that it has shown: no context is resumed",
            {{"shown", format_utc(past_.high_water)}});
    }
}

keys::BootstrapPast PastKeeper::get() const {
    const std::scoped_lock lock(mutex_);
    return past_;
}

void PastKeeper::forget_context(const std::string& b_tid) {
    const auto remembered = get().context;
    if (remembered && remembered->record.b_tid == b_tid) {
        change([&](auto& past) {
            if (past.context && past.context->record.b_tid == b_tid) {
                past.context.reset();
            }
        });
    }
}

Result<void> PastKeeper::forget_anchor() {
    {
        const std::scoped_lock lock(mutex_);
        if (!past_.anchor && !unwritten_) {
            return {};
        }
    }
    auto done = change([](auto& past) { past.anchor.reset(); });
    return memory_.guards_keys() ? done : Result<void>();
}

Result<void> PastKeeper::change(const std::function<void(keys::BootstrapPast&)>& how, Write write) {
    const std::scoped_lock lock(mutex_);
    // A clock that is set back does not make it earlier.
    const auto passed =
        std::chrono::floor<std::chrono::seconds>(clock_.boot_now() - high_water_at_);
    past_.high_water += passed;
    high_water_at_ += passed;
    how(past_);
    if (write == Write::WithTheNext) {
        return {};
    }
    past_.saved = clock_.utc_now();
    past_.saved_boot = clock_.boot_now();
    past_.high_water = std::max(past_.high_water, past_.saved);
    unwritten_ = true; // also if that throws
    const auto stored = memory_.store(past_);
    unwritten_ = !stored;
    if (!stored && !std::exchange(told_, true)) {
        log_warning("what is to outlive the daemon cannot be written", stored.error());
    }
    return stored;
}

} // namespace mtkey::daemon
