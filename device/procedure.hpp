// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/steps.hpp"
#include "device/device_keys.hpp"
#include "device/key_center.hpp"
#include "device/link.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mtkey::device {

struct ProcedureSettings {
    std::string device_id; ///< canonical
    std::string preferred_naf;
    std::vector<std::string> allowed_suffixes;
    std::string kdf_profile = "draft-1";
    bool renew = false; ///< establish a new key although a stored one may be good
    local::SessionSettings timers;
};

/// Everything outside, given by the program or by a test. Borrowed.
struct Surroundings {
    /// Makes the transport's next connection; waits for it within the limits.
    std::function<Result<transports::Connection>(const Limits&)> open_link;
    OpenKeyCenter open_key_center;
    DeviceKeys& keys;
    RandomSource& random;
    Limits limits;
    /// Told of each step of the device, beside the step events; `detail` may be empty. Comes from
    /// run() or from a thread that run() waits for, never from both at once.
    std::function<void(Step, std::string_view detail)> on_step;
    /// Told of each L4 as it comes, before it has been checked.
    std::function<void(const local::EstablishmentAnswer&)> on_answer = {};
};

struct Outcome {
    enum class Kind { Resumed, Optimised, Full };
    Kind kind = Kind::Full;
    std::string mt_id; ///< of the active key in the store
};
/// "full", "optimised", "resume": for reports.
std::string_view procedure_name(Outcome::Kind kind);

/// What became of a run, whichever way it ended.
struct RunReport {
    std::uint32_t retry_after = 0; ///< seconds that the MT asked for; 0 = none
    bool refused_by_mt = false;    ///< the error is the MT's and has its words
    std::vector<std::pair<std::string, std::chrono::milliseconds>> phases;
};

/// The error that ended a run, for people. One of the MT's says itself what is wrong there: our
/// sentence for the whole group of its errors could name a remedy that is none.
[[nodiscard]] std::string describe(const Error& error, const RunReport& report);

/// The external device's side of draft clauses 5.5.1 to 5.5.3: tries a stored key, establishes a
/// new one where there is none. The new key becomes the active one only when the MT has proved that
/// it holds the same; until then an older one stays. One run at a time.
class DeviceProcedure {
public:
    DeviceProcedure(ProcedureSettings settings, Surroundings surroundings);

    /// Blocks until the end. A link that is lost is opened again, twice at most.
    [[nodiscard]] Result<Outcome> run();
    [[nodiscard]] const RunReport& report() const { return report_; }

private:
    class Phase;
    struct Connected;
    struct Selection;

    [[nodiscard]] Result<Outcome> run_once();
    /// Nothing: no such key, go on with something else.
    [[nodiscard]] Result<std::optional<Outcome>> try_stored_keys(Connected& mt);
    [[nodiscard]] Result<std::optional<Outcome>> resume(Connected& mt,
                                                        std::span<const std::string> mt_ids);
    [[nodiscard]] Result<std::optional<Outcome>> settle_pending(Connected& mt);
    [[nodiscard]] Result<Outcome> establish(Connected& mt);
    Error give_up(Connected& mt, const Selection& selection, Error error);
    [[nodiscard]] Result<Selection> select(Connected& mt);
    [[nodiscard]] Result<local::EstablishmentReceived> request_establishment(Connected& mt,
                                                                             Selection& selection);
    [[nodiscard]] Result<void> check(const local::EstablishmentAnswer& answer,
                                     const Selection& selection) const;
    [[nodiscard]] Result<keycenter::KeyAnswer>
    ask_key_center(Connected& mt, const Selection& selection,
                   const local::EstablishmentAnswer& answer);
    [[nodiscard]] Result<void> check_owner(const std::string& mt_id,
                                           const std::string& naf_fqdn) const;
    [[nodiscard]] Result<void> store_pending(const local::EstablishmentReceived& received,
                                             BootTime received_at, keycenter::KeyAnswer answer);
    [[nodiscard]] Result<void> confirm(Connected& mt, const std::string& mt_id);

    [[nodiscard]] Error refusal(const local::ErrorMessage& message);
    void step(Step step, std::string_view name = {}, std::string_view value = {});

    ProcedureSettings settings_;
    Surroundings out_;
    RunReport report_;
    std::string mt_words_; ///< context of the last error that the MT has given words to
    /// The establishment of this run, once its key is stored.
    struct Made {
        local::EstId est_id;
        Outcome::Kind kind;
    };
    std::optional<Made> made_;
    // Each remedy once per run, whatever the MT says next.
    bool key_info_asked_again_ = false;
    bool new_b_tid_taken_ = false;
    bool b_tid_given_up_ = false;           ///< by MT or network
    bool b_tid_unknown_to_network_ = false; ///< only this may be said to the MT
};

} // namespace mtkey::device
