// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/subscriber_file.hpp"
#include "base/clock.hpp"
#include "base/secret.hpp"

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace mtkey::bsf {

/// How a subscriber's keys are made (TS 33.220 clauses 4.5.2 and 5.3.2, annex I); part of the
/// subscription data.
using Mode = aka::GbaMode;
std::string_view to_text(Mode mode); ///< "gba-me", "gba-u", "gba-2g"

/// What one successful run of Ub leaves behind.
struct BootstrappingContext {
    std::string b_tid;
    std::string impi;
    std::string tmpi; ///< what the UE may call itself in its next run (TS 33.220 clause B.4)
    aka::Rand rand{};
    Secret<32> ks;
    Mode mode = Mode::GbaMe;
    UtcTime created{};
    UtcTime expires{};
    BootTime deadline{}; ///< the same end on the clock that nobody sets

    [[nodiscard]] BootstrappingContext clone() const;
    [[nodiscard]] bool expired(const Clock& clock) const;
};

/// Owns the contexts by B-TID. A new run leaves the subscriber's earlier B-TIDs valid until their
/// own end: procedures under way go on with them. Bounded for all and for each subscriber, so that
/// nobody crowds out others.
class BootstrappingStore {
public:
    static constexpr std::size_t kLimit = 2048; // Ks of all: a quarter of the secure heap
    static constexpr std::size_t kLimitPerSubscriber =
        64; // more than a UE makes in a day; then its oldest goes

    explicit BootstrappingStore(const Clock& clock) : clock_(clock) {}

    /// LimitExceeded when full of unexpired contexts of others.
    [[nodiscard]] Result<void> add(BootstrappingContext context);
    /// A copy of the unexpired context, or nothing.
    [[nodiscard]] std::optional<BootstrappingContext> find(std::string_view b_tid) const;
    /// Who has this TMPI; it ends with its context.
    [[nodiscard]] std::optional<std::string> impi_of(std::string_view tmpi) const;
    /// Forgets and wipes what has expired; add() does it too.
    void purge();
    [[nodiscard]] std::size_t size() const;

private:
    void purge_locked();

    const Clock& clock_;
    mutable std::mutex mutex_;
    std::map<std::string, BootstrappingContext, std::less<>> contexts_;
};

} // namespace mtkey::bsf
