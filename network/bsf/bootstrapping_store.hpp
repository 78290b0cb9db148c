// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/subscriber_file.hpp"
#include "base/clock.hpp"
#include "base/secret.hpp"
#include "network/bsf/database.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace mtkey::bsf {

/// How a subscriber's keys are made (TS 33.220 clauses 4.5.2 and 5.3.2, annex I); part of the
/// subscription data.
using Mode = aka::GbaMode;
std::string_view to_text(Mode mode); ///< "gba-me", "gba-u", "gba-2g"
std::optional<Mode> parse_mode(std::string_view text);

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
};

/// The contexts by B-TID, in the database. A new run leaves the subscriber's earlier B-TIDs valid
/// until their own end: procedures under way go on with them. Bounded for all and for each
/// subscriber, so that nobody crowds out others. Safe from several threads.
class BootstrappingStore {
public:
    static constexpr std::size_t kLimit = 16384;
    static constexpr std::size_t kLimitPerSubscriber =
        64; // more than a UE makes in a day; then its oldest goes

    /// Both are borrowed. `boot`: names the time since the system started, during which deadlines
    /// mean anything (boot_id()).
    BootstrappingStore(Database& database, const Clock& clock, std::string boot);
    /// The same over a database of its own, in memory.
    explicit BootstrappingStore(const Clock& clock);

    /// Call first with a database that has been used before: what an earlier boot left gets a
    /// deadline of this one, never later than what it had left when the database was last written.
    /// It ends where the clock is behind the latest time that the database has seen: how long the
    /// system was down cannot be told then.
    [[nodiscard]] Result<void> resume();
    /// On disk when it returns. `entry`: the subscriber's, see IssuedVector; NotFound when it is
    /// not there any more. LimitExceeded when full of unexpired contexts of others; IoFailed for a
    /// B-TID that is another subscriber's, which stays.
    [[nodiscard]] Result<void> add(const BootstrappingContext& context,
                                   std::optional<std::int64_t> entry = std::nullopt);
    /// A copy of the unexpired context; NotFound.
    [[nodiscard]] Result<BootstrappingContext> find(std::string_view b_tid);
    /// Who has this TMPI, NotFound; it ends with its context.
    [[nodiscard]] Result<std::string> impi_of(std::string_view tmpi);
    /// For resume() after a reboot; add() does it too, and purge() once an hour.
    [[nodiscard]] Result<void> mark_time();
    /// Forgets and overwrites what has expired, and empties the log of it, or the next time; once
    /// an hour of what other programs have left. add() forgets too where it would be full else.
    [[nodiscard]] Result<void> purge();
    /// Expired ones too that nobody has purged yet.
    [[nodiscard]] Result<std::size_t> count();

private:
    struct Moment {
        std::string boot;
        BootTime since_boot{};
        UtcTime latest{};
    };
    [[nodiscard]] Result<Moment> last_moment();
    [[nodiscard]] Result<void> mark_locked();
    [[nodiscard]] Result<void> purge_locked();
    [[nodiscard]] Result<std::int64_t> delete_ended();
    [[nodiscard]] Result<void> check_entry(const std::string& impi, std::int64_t entry);
    [[nodiscard]] Result<void> make_room(const std::string& impi);
    [[nodiscard]] Result<std::size_t> number(Statement& statement, const std::string* impi);

    std::unique_ptr<Database> own_; ///< or null
    Database& database_;
    const Clock& clock_;
    const std::string boot_;
    /// Counting costs more than adding: no more contexts than this. Under the database's lock.
    std::size_t at_most_ = kLimit;
    bool empty_log_ = true; ///< something deleted may stand in it; the same lock
    BootTime marked_{};     ///< when mark_locked() was called last; the same lock
    Statement entry_;
    Statement add_;
    Statement find_;
    Statement by_tmpi_;
    Statement purge_;
    Statement overwrite_;
    Statement count_;
    Statement count_of_;
    Statement remove_oldest_;
    Statement resume_;
    Statement moment_;
    Statement mark_;
};

/// Of the running kernel, as text.
Result<std::string> boot_id();

} // namespace mtkey::bsf
