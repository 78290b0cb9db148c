// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "daemon/card_contexts.hpp"
#include "daemon/card_errors.hpp"
#include "daemon/card_service.hpp"
#include "daemon/config.hpp"
#include "daemon/interruption.hpp"
#include "daemon/past_keeper.hpp"
#include "daemon/pin_memory.hpp"
#include "daemon/reader_table.hpp"
#include "uicc/application.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace mtkey::daemon {

/// The sequential work with one UICC, as the card worker's thread does it: identify -> Ub ->
/// AUTHENTICATE(DD) -> Ub -> UPDATE EF_GBABP -> AUTHENTICATE(DE). Owns card, application and GBA
/// contexts. May block for seconds. Finding and opening a card is in card_work.cpp, what is done
/// with it in card_jobs.cpp, what its EF_GBABP tells of an earlier life in card_resume.cpp.
class CardWork {
public:
    /// `interruption` is borrowed: others interrupt by it what is done here. So is `past`.
    CardWork(const Config& config, const Clock& clock, RandomSource& random,
             Interruption& interruption, PastKeeper& past, CardPorts ports);

    /// `changed`: called in the middle of a job, when what others know must not wait for its end.
    void set_changed(std::function<void()> changed) { changed_ = std::move(changed); }
    void readers_changed(const uicc::ReaderReport& report);
    /// Leaves the card and wipes all that came of it; what is remembered stays.
    void end();
    /// `begins`: called before the first exchange of a run, if there is one.
    Result<void> bootstrap(bool force, const std::function<void()>& begins = {});
    /// What the BSF of the last run wants to wait before the next (Retry-After), if it said so.
    [[nodiscard]] std::optional<std::chrono::seconds> retry_after() const { return retry_after_; }
    Result<NafKey> naf_key(const kdf::NafId& naf_id, const std::string& b_tid);
    /// Shown once, and wiped; with a shared card, which forgets it with each reset, only when the
    /// card leaves.
    Result<void> send_pin(SecretBytes pin);
    /// NotFound when the context is not that of `b_tid`.
    Result<void> discard(const std::string& b_tid);
    /// The system is about to sleep: the card is left, and its keys are kept for it
    /// (DRAFT-GAP(sleep)). Jobs fail until wake_up(), or until a minute has passed awake.
    void fall_asleep();
    /// The keys go on if the same card is there within ten seconds, its Ks still the same.
    void wake_up();
    /// When a card that could not be opened is worth another try, or the time of grace is over;
    /// nothing = not before something happens.
    [[nodiscard]] std::optional<BootTime> retry_at() const;
    void retry();

    [[nodiscard]] CardState state() const;
    /// The store has been set aside, or need not be. From any thread; until then no run begins.
    void contradiction_settled() { contradiction_settled_ = true; }
    [[nodiscard]] const Statistics& statistics() const { return statistics_; }

private:
    /// Everything that ends together when the card leaves.
    struct Open {
        std::unique_ptr<CardLink> link;
        uicc::CardChannel* card = nullptr; ///< of `link`; all the time, unless it holds nothing
        uicc::Application application;
        std::string impi;
        std::string uicc; ///< hash of the identity
        bool pin_shown = false;
        gba::UbMemory ub_memory{};
    };
    /// The card, for as long as this lives; not longer than `work.open_`.
    class Job {
    public:
        explicit Job(CardWork& work) : work_(&work) {}
        Job(Job&& other) noexcept : work_(std::exchange(other.work_, nullptr)) {}
        Job& operator=(Job&&) = delete;
        ~Job() {
            if (work_ != nullptr) {
                work_->end_job();
            }
        }
        [[nodiscard]] uicc::CardChannel& card() const { return *work_->open_->card; }

    private:
        CardWork* work_;
    };
    [[nodiscard]] bool worth_another_look() const;
    /// Tries reader after reader until a card opens or wants its PIN; else stays with the first
    /// that may open later.
    void look_for_card();
    /// An Error when the card in use has left, or pcscd.
    [[nodiscard]] Result<void> gone() const;
    Result<void> open();
    Result<void> open_or_leave();
    Result<void> open_application();
    /// An Error when the card has refused a file for the first time.
    Result<void> settle_left_out(const uicc::Application& application);
    /// With a card just opened: the context goes on if this card is the one it was made with.
    Result<void> settle_kept();
    void close(CardState::State state);
    void failed(const Error& error);
    void note_pin(const Error& error);
    uicc::OpenOptions open_options();
    /// The card for one job; where the link holds nothing, a transaction of its own and the
    /// application selected anew; where nobody tells of its removal, once it is known to be the
    /// same.
    Result<Job> begin_job();
    /// Closes what is another card by now, its context with it.
    Result<void> expect_same_card();
    /// The next job finds that the time of sleep is over, when nobody else has.
    void wake_up_in_time();
    void end_job();
    /// A new context; nothing when the present one is good.
    Result<std::optional<gba::Context>> attempt(bool force, const std::function<void()>& begins);
    Result<gba::Context> run(uicc::CardChannel& card);
    [[nodiscard]] gba::RunEvents run_events();
    [[nodiscard]] http::ClientSettings bsf_settings() const;
    /// The first card of this program's life may still hold the context of an earlier one.
    [[nodiscard]] Result<void> resume();
    [[nodiscard]] Result<std::optional<std::optional<uicc::Gbabp>>> compare_anchor();
    [[nodiscard]] std::vector<kdf::NafId> naf_ids() const;
    void adopt(gba::Context context, BootTime use_deadline);
    [[nodiscard]] bool gba_context_missing() const;
    void note_gba_context_missing();
    void note_apdus();

    const Config& config_;
    const Clock& clock_;
    RandomSource& random_;
    Interruption& interruption_;
    PastKeeper& past_;
    CardPorts ports_;
    std::function<void()> changed_;
    std::optional<Open> open_;
    std::string reader_; ///< where the card is, or would be
    std::uint32_t event_ = 0;
    ReaderTable readers_;
    PinMemory pins_;
    ReaderTable::Look last_look_;
    CardState::State state_ = CardState::State::NoReader;
    std::optional<Error> last_error_;
    std::optional<BootTime> retry_at_;
    std::optional<std::chrono::seconds> retry_after_;
    std::chrono::seconds back_off_;
    int pin_attempts_left_ = -1;
    /// By ICCID, files that it need not have and has refused; until it gives them all.
    std::map<std::string, std::set<std::uint16_t>, std::less<>> left_out_;
    CardContexts contexts_;
    bool may_resume_ = true;
    bool anchor_compared_ = false;
    bool contradicts_past_ = false;
    bool agreed_in_this_boot_ = false; ///< before this start
    std::atomic<bool> contradiction_settled_ = false;
    std::optional<BootTime> asleep_until_;
    std::optional<BootTime> awake_since_; ///< for the grace after it
    Statistics statistics_;
    unsigned apdus_seen_ = 0; ///< of the present card, already in the statistics
};

} // namespace mtkey::daemon
