// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/algorithm.hpp"
#include "base/clock.hpp"
#include "base/secret.hpp"
#include "network/bsf/bootstrapping_store.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace mtkey::bsf {

/// A challenge that waits for its answer, with what the answer is checked against.
struct PendingChallenge {
    std::string username; ///< as the UE calls itself: IMPI or TMPI
    std::string tmpi;     ///< what it may call itself as well; empty: nothing
    std::string impi;
    std::string peer; ///< who asked, by network; see peer_network()
    std::string opaque;
    bool in_advance = false; ///< by nextnonce: the opaque may be absent, there was no challenge
    aka::Rand rand{};
    SecretBytes password; ///< XRES as the UE answers it: flipped under GBA_U
    Secret<32> ks;
    Mode mode = Mode::GbaMe;
    std::optional<std::chrono::seconds> lifetime;
    std::optional<std::int64_t> entry; ///< as in IssuedVector
    unsigned resynchronisations = 0;   ///< on the way to this challenge
    unsigned refusals = 0;             ///< wrong answers on the way to this challenge
    BootTime deadline{};
    std::uint64_t number = 0; ///< in the order of put()
};

/// Owns the challenges by nonce. Each is taken out by the first answer to it, right or wrong; none
/// lives longer than five minutes, but for a subscriber's one nonce in advance. When all places, or
/// those of the subscriber, are taken, the oldest goes of the peer that has the most of them: a
/// flood of first requests neither ends the runs of others nor keeps them out for minutes.
class PendingChallenges {
public:
    static constexpr std::chrono::milliseconds kLife = std::chrono::minutes(5);
    static constexpr std::size_t kLimit = 512;
    static constexpr std::size_t kLimitPerSubscriber = 4;

    explicit PendingChallenges(const Clock& clock) : clock_(clock) {}

    /// Sets deadline and number. One that is given in advance replaces the subscriber's earlier
    /// one.
    void put(std::string nonce, PendingChallenge challenge, std::chrono::milliseconds life = kLife);
    /// Nothing for an unknown, used or expired nonce, and for another username.
    [[nodiscard]] std::optional<PendingChallenge> take(std::string_view nonce,
                                                       std::string_view username);
    void purge();
    [[nodiscard]] std::size_t size() const;

private:
    using Map = std::map<std::string, PendingChallenge, std::less<>>;
    void purge_locked();
    /// Who goes when `comer` comes; `impi`: of this one's alone.
    Map::iterator victim_locked(const PendingChallenge& comer,
                                std::optional<std::string_view> impi);

    const Clock& clock_;
    mutable std::mutex mutex_;
    Map challenges_;
    std::uint64_t puts_ = 0;
};

} // namespace mtkey::bsf
