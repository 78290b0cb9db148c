// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/bootstrapping_store.hpp"

#include <utility>

namespace mtkey::bsf {

std::string_view to_text(Mode mode) {
    switch (mode) {
    case Mode::GbaU:
        return "gba-u";
    case Mode::GbaMe:
        break;
    case Mode::Gba2g:
        return "gba-2g";
    }
    return "gba-me";
}

BootstrappingContext BootstrappingContext::clone() const {
    return {b_tid, impi, tmpi, rand, ks.clone(), mode, created, expires, deadline};
}

bool BootstrappingContext::expired(const Clock& clock) const {
    return clock.utc_now() >= expires || clock.boot_now() >= deadline;
}

Result<void> BootstrappingStore::add(BootstrappingContext context) {
    const std::lock_guard lock(mutex_);
    purge_locked();
    std::size_t of_subscriber = 0;
    auto oldest = contexts_.end();
    for (auto it = contexts_.begin(); it != contexts_.end(); ++it) {
        if (it->second.impi != context.impi) {
            continue;
        }
        ++of_subscriber;
        if (oldest == contexts_.end() || it->second.deadline < oldest->second.deadline) {
            oldest = it;
        }
    }
    if (of_subscriber >= kLimitPerSubscriber) {
        contexts_.erase(oldest);
    } else if (contexts_.size() >= kLimit) {
        return fail(Errc::LimitExceeded, "bootstrapping contexts");
    }
    auto name = context.b_tid;
    contexts_.insert_or_assign(std::move(name), std::move(context));
    return {};
}

std::optional<BootstrappingContext> BootstrappingStore::find(std::string_view b_tid) const {
    const std::lock_guard lock(mutex_);
    const auto it = contexts_.find(b_tid);
    if (it == contexts_.end() || it->second.expired(clock_)) {
        return std::nullopt;
    }
    return it->second.clone();
}

std::optional<std::string> BootstrappingStore::impi_of(std::string_view tmpi) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, context] : contexts_) {
        if (context.tmpi == tmpi && !context.expired(clock_)) {
            return context.impi;
        }
    }
    return std::nullopt;
}

void BootstrappingStore::purge() {
    const std::lock_guard lock(mutex_);
    purge_locked();
}

std::size_t BootstrappingStore::size() const {
    const std::lock_guard lock(mutex_);
    return contexts_.size();
}

void BootstrappingStore::purge_locked() {
    std::erase_if(contexts_, [this](const auto& entry) { return entry.second.expired(clock_); });
}

} // namespace mtkey::bsf
