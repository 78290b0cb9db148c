// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "gba/bootstrapping.hpp"
#include "kdf/naf_id.hpp"
#include "keys/procedures.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mtkey::daemon {

/// Counters since start, by the names of Manager1.Statistics.
using Statistics = std::map<std::string, std::uint64_t>;

/// Who wants a bootstrapping.
struct RunRequest {
    bool force = false;     ///< a new one whatever there is
    std::string asked_by{}; ///< a Device_ID, or name_of_user(); "" = the administrator
};
/// Of a user of this system who is no administrator: "user 1000". No Device_ID has a space.
[[nodiscard]] inline std::string name_of_user(std::uint32_t uid) {
    return "user " + std::to_string(uid);
}
[[nodiscard]] inline bool is_user(std::string_view asked_by) {
    return asked_by.starts_with("user ");
}

/// The context before the last run: its NAF keys serve procedures that were under way, for a
/// moment.
struct FormerContext {
    std::string b_tid;
    BootTime until{};
};

/// What the reactor knows of the UICC: a copy made by the card worker at every change. No key is in
/// it.
struct CardState {
    enum class State { NoReader, NoCard, Mute, Busy, PinRequired, PinBlocked, Ready, Failed };
    State state = State::NoReader;
    std::string reader;
    std::string identity; ///< masked IMPI
    std::string uicc;     ///< hash of ICCID and IMPI; "" while no card has been read
    bool gba = false;
    int pin_attempts_left = -1;
    std::string mnc_source;
    std::vector<std::string> naf_key_centers; ///< EF_NAFKCA
    std::optional<keys::ContextFacts> context;
    gba::Mode mode = gba::Mode::GbaMe; ///< of the context
    gba::RunCounts counts;             ///< of the context
    std::optional<FormerContext> former;
    /// At its first sight it held another bootstrapping than what we remember to be there.
    bool contradicts_past = false;
    bool agreed_in_this_boot = false; ///< but in this boot it had been as it should be
    std::optional<Error> last_error;
};
std::string_view to_text(CardState::State state); ///< words of Uicc1.State

/// Ks_(ext)_NAF with what belongs to it; the key is a copy for one derivation.
struct NafKey {
    Secret<32> ks_naf;
    std::string b_tid;
    gba::Mode mode = gba::Mode::GbaMe;
    std::string uicc;
    UtcTime ks_expires{}; ///< in the BSF's time
    UtcTime ks_local_end{};
    BootTime ks_deadline{};
};

/// The UICC as the rest of the daemon sees it. All calls and callbacks are on the reactor's thread.
class CardService {
public:
    virtual ~CardService() = default;
    [[nodiscard]] virtual const CardState& state() const = 0;
    [[nodiscard]] virtual Statistics statistics() const = 0;

    /// Makes sure of a valid context. Joins the run in progress. RetryAfter, at once, when
    /// another than the administrator asks for a run that may not begin yet (detail = seconds).
    virtual void bootstrap(const RunRequest& request, std::function<void(Result<void>)> done) = 0;
    /// Ks_(ext)_NAF of the present context, or one of the former context's that was derived when it
    /// was the present one. BtidStale when `b_tid` is of neither, or when the UICC says that it has
    /// no Ks.
    virtual void naf_key(const kdf::NafId& naf_id, const std::string& b_tid,
                         std::function<void(Result<NafKey>)> done) = 0;
    /// Shows this PIN to a card that wants one, once. Rejected when none is wanted.
    virtual void send_pin(SecretBytes pin, std::function<void(Result<void>)> done) = 0;
    /// The run that is queued or under way ends as Cancelled for all that joined it. False when
    /// there is none.
    virtual bool cancel() = 0;
    /// Forgets the context of this B-TID; NotFound when the present one is another's.
    virtual void discard(const std::string& b_tid, std::function<void(Result<void>)> done) = 0;
    /// The context of this B-TID, if it is remembered over restarts, is so no more: what must not
    /// be derived from it again is known to this daemon alone.
    virtual void keep_from_resuming(const std::string& b_tid) = 0;
    /// The system is about to sleep: the run under way ends, the card is left; `done` then.
    virtual void prepare_for_sleep(std::function<void()> done) = 0;
    virtual void wake_up() = 0;
};

} // namespace mtkey::daemon
