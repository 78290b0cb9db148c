// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/pending_challenges.hpp"

#include <algorithm>
#include <utility>

namespace mtkey::bsf {

void PendingChallenges::put(std::string nonce, PendingChallenge challenge,
                            std::chrono::milliseconds life) {
    const std::lock_guard lock(mutex_);
    purge_locked();
    if (challenge.in_advance) {
        std::erase_if(challenges_, [&](const auto& entry) {
            return entry.second.in_advance && entry.second.impi == challenge.impi;
        });
    }
    const auto of_subscriber = std::ranges::count_if(
        challenges_, [&](const auto& entry) { return entry.second.impi == challenge.impi; });
    if (static_cast<std::size_t>(of_subscriber) >= kLimitPerSubscriber) {
        challenges_.erase(victim_locked(challenge, challenge.impi));
    } else if (challenges_.size() >= kLimit) {
        challenges_.erase(victim_locked(challenge, std::nullopt));
    }
    challenge.deadline = clock_.boot_now() + life;
    challenge.number = ++puts_;
    challenges_.insert_or_assign(std::move(nonce), std::move(challenge));
}

std::optional<PendingChallenge> PendingChallenges::take(std::string_view nonce,
                                                        std::string_view username) {
    const std::lock_guard lock(mutex_);
    const auto it = challenges_.find(nonce);
    if (it == challenges_.end() ||
        (it->second.username != username && (username.empty() || it->second.tmpi != username))) {
        return std::nullopt;
    }
    auto challenge = std::move(it->second);
    challenge.username = username;
    challenges_.erase(it);
    if (clock_.boot_now() >= challenge.deadline) {
        return std::nullopt;
    }
    return challenge;
}

void PendingChallenges::purge() {
    const std::lock_guard lock(mutex_);
    purge_locked();
}

std::size_t PendingChallenges::size() const {
    const std::lock_guard lock(mutex_);
    return challenges_.size();
}

void PendingChallenges::purge_locked() {
    const auto now = clock_.boot_now();
    std::erase_if(challenges_, [now](const auto& entry) { return now >= entry.second.deadline; });
}

PendingChallenges::Map::iterator
PendingChallenges::victim_locked(const PendingChallenge& comer,
                                 std::optional<std::string_view> impi) {
    const auto counts = [impi](const PendingChallenge& challenge) {
        return !impi || challenge.impi == *impi;
    };
    std::map<std::string_view, std::size_t> of_peer{{comer.peer, 1}};
    for (const auto& [nonce, challenge] : challenges_) {
        of_peer[challenge.peer] += counts(challenge) ? 1 : 0;
    }
    auto victim = challenges_.end();
    for (auto it = challenges_.begin(); it != challenges_.end(); ++it) {
        if (!counts(it->second)) {
            continue;
        }
        const auto more = of_peer[it->second.peer];
        const auto most = victim == challenges_.end() ? 0 : of_peer[victim->second.peer];
        if (more > most || (more == most && it->second.number < victim->second.number)) {
            victim = it;
        }
    }
    return victim;
}

} // namespace mtkey::bsf
