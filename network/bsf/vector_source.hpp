// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/aka.hpp"
#include "network/bsf/bootstrapping_store.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mtkey::bsf {

/// What the home network gives for one challenge: the vector as TS 33.102 has it (GBA_U is the
/// BSF's part), and what the subscription says about bootstrapping (bsfInfo of the GUSS, TS 29.109
/// annex A).
struct IssuedVector {
    aka::Vector vector;
    Mode mode = Mode::GbaMe;
    std::optional<std::chrono::seconds> lifetime; ///< of Ks; nothing = the BSF's policy
    /// Which subscriber of our database it was made for; nothing = the HSS is somebody else's.
    std::optional<std::int64_t> entry{};
};

/// What a card that was out of sync answered, to which challenge.
struct Resynchronisation {
    aka::Rand rand{};
    aka::Auts auts{};
};

/// Reference point Zh as a call: HSS and AuC, ours or others'. Safe from several threads; may
/// block.
class VectorSource {
public:
    virtual ~VectorSource() = default;
    /// A vector whose SQN no other has, ever; with `resync` one above the card's SQN_MS. NotFound
    /// for a stranger, Rejected when the MAC-S of `resync` does not hold, RetryAfter (detail:
    /// seconds) while another call for the same subscriber takes its time.
    [[nodiscard]] virtual Result<IssuedVector>
    next_vector(std::string_view impi, const Resynchronisation* resync = nullptr) = 0;
};

} // namespace mtkey::bsf
