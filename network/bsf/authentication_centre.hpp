// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/aka.hpp"
#include "aka/subscriber_file.hpp"
#include "base/random.hpp"
#include "network/bsf/bootstrapping_store.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::bsf {

/// What the home network gives for one challenge: the vector as TS 33.102 has it (GBA_U is the
/// BSF's part), and what the subscription says about bootstrapping (bsfInfo of the GUSS, TS 29.109
/// annex A).
struct IssuedVector {
    aka::Vector vector;
    Mode mode = Mode::GbaMe;
    std::optional<std::chrono::seconds> lifetime; ///< of Ks; nothing = the BSF's policy
};

/// HSS and AuC of the BSF (reference point Zh as a call). Owns the subscribers' algorithms and
/// SQN_HE. SQN_HE lives in memory: after a restart the first AUTS of a card sets it right.
class AuthenticationCentre {
public:
    /// `random` is borrowed; each vector draws 16 octets, its RAND, and nothing else.
    AuthenticationCentre(std::vector<aka::Subscriber> subscribers, RandomSource& random);

    [[nodiscard]] std::size_t size() const { return subscribers_.size(); }
    /// The first vector carries the SQN of the subscriber file, each later one 32 more: SEQ steps,
    /// IND stands still (TS 33.102 annex C.1.2). NotFound for a stranger.
    [[nodiscard]] Result<IssuedVector> next_vector(std::string_view impi);
    /// SQN_HE = SQN_MS when the MAC-S of `auts` holds for `rand` (TS 33.102 clause 6.3.5), else
    /// Rejected.
    [[nodiscard]] Result<void> resynchronise(std::string_view impi, const aka::Rand& rand,
                                             const aka::Auts& auts);

private:
    struct Entry {
        aka::Subscriber subscriber;
        std::uint64_t next_sqn = 0;
    };

    RandomSource& random_;
    std::mutex mutex_;
    std::map<std::string, Entry, std::less<>> subscribers_; ///< by IMPI
};

} // namespace mtkey::bsf
