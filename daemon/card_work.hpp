// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "daemon/card_service.hpp"
#include "daemon/config.hpp"
#include "daemon/interruption.hpp"
#include "uicc/application.hpp"
#include "uicc/reader_choice.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace mtkey::daemon {

/// The sequential work with one UICC, as the card worker's thread does it: identify -> Ub ->
/// AUTHENTICATE(DD) -> Ub -> UPDATE EF_GBABP -> AUTHENTICATE(DE). Owns card, application and GBA
/// context. May block for seconds.
class CardWork {
public:
    /// `interruption` is borrowed: others interrupt by it what is done here.
    CardWork(const Config& config, const Clock& clock, RandomSource& random,
             Interruption& interruption, CardPorts ports);

    /// `changed`: called in the middle of a job, when what others know must not wait for its end.
    void set_changed(std::function<void()> changed) { changed_ = std::move(changed); }
    void readers_changed(const uicc::ReaderReport& report);
    /// Leaves the card and wipes all that came of it.
    void end();
    Result<void> bootstrap(bool force);
    Result<NafKey> naf_key(const kdf::NafId& naf_id, const std::string& b_tid);
    /// Shown once, and wiped; with a shared card, which forgets it with each reset, only when the
    /// card leaves.
    Result<void> send_pin(SecretBytes pin);
    /// NotFound when the context is not that of `b_tid`.
    Result<void> discard(const std::string& b_tid);
    /// When a card that could not be opened is worth another try, or the time of grace is over;
    /// nothing = not before something happens.
    [[nodiscard]] std::optional<BootTime> retry_at() const;
    void retry();

    [[nodiscard]] CardState state() const;
    [[nodiscard]] const Statistics& statistics() const { return statistics_; }

private:
    /// Everything that ends together when the card leaves.
    struct Open {
        std::unique_ptr<CardLink> link;
        uicc::CardChannel* card = nullptr; ///< of `link`; all the time in exclusive mode
        uicc::Application application;
        std::string impi;
        std::string uicc; ///< hash of the identity
        bool pin_shown = false;
    };
    /// A card in a reader that is no UICC, or not the one that is wanted.
    struct Useless {
        std::uint32_t event = 0;
        Error why;
        bool sure = true;
    };
    /// The context is kept and not used.
    struct Grace {
        std::string uicc;
        BootTime until;
        bool card_seen = false; ///< since pcscd is back
    };
    using Look = std::vector<std::pair<std::string, std::uint32_t>>; ///< readers and their events
    [[nodiscard]] Look usable_cards() const;
    [[nodiscard]] const Useless* useless(const std::string& reader, std::uint32_t event) const;

    void note_readers(const uicc::ReaderReport& report);
    [[nodiscard]] bool worth_another_look() const;
    /// Tries reader after reader until a card opens or wants its PIN; else stays with the first
    /// that may open later.
    void look_for_card();
    /// The card is of no use and is not looked at again; when it may be one in a strange state, at
    /// the second time only.
    [[nodiscard]] bool of_no_use(const Error& error);
    void tell_skipped(const std::string& reader, std::string_view why);
    /// An Error when the card in use has left, or pcscd.
    [[nodiscard]] Result<void> gone() const;
    Result<void> open();
    Result<void> open_application();
    /// An Error when the card has refused a file for the first time.
    Result<void> settle_left_out(const uicc::Application& application);
    /// pcscd has gone, which is no loss of keys if the card is back soon.
    void begin_grace();
    void end_grace(); ///< wipes the context
    /// With a card just opened: the context goes on if this card is the one it was made with.
    Result<void> settle_grace();
    void close(CardState::State state);
    void failed(const Error& error);
    void note_pin(const Error& error);
    std::optional<SecretBytes> pin_for(std::string_view iccid);
    uicc::OpenOptions open_options();
    /// The card for one job; in shared mode a transaction of its own and the application selected
    /// anew.
    Result<uicc::CardChannel*> begin_job();
    void end_job();
    /// A new context; nothing when the present one is good.
    Result<std::optional<gba::Context>> attempt(bool force);
    Result<gba::Context> run(uicc::CardChannel& card);
    [[nodiscard]] gba::RunEvents run_events();
    [[nodiscard]] http::ClientSettings bsf_settings() const;
    [[nodiscard]] std::optional<keys::ContextFacts> facts() const;
    void note_apdus();

    const Config& config_;
    const Clock& clock_;
    RandomSource& random_;
    Interruption& interruption_;
    CardPorts ports_;
    std::function<void()> changed_;
    std::optional<Open> open_;
    std::string reader_; ///< where the card is, or would be
    std::uint32_t event_ = 0;
    std::vector<uicc::ReaderState> readers_; ///< of the last report, those that may be used
    std::map<std::string, Useless, std::less<>> useless_;
    std::map<std::string, std::string, std::less<>> told_; ///< why a reader is not used
    Look last_look_;
    CardState::State state_ = CardState::State::NoReader;
    std::optional<Error> last_error_;
    std::optional<BootTime> retry_at_;
    std::chrono::seconds back_off_;
    int pin_attempts_left_ = -1;
    std::set<std::string, std::less<>> refused_pins_;    ///< ICCIDs
    std::set<std::string, std::less<>> without_context_; ///< ICCIDs: service 68, no GBA context
    /// By ICCID, files that it need not have and has refused; until it gives them all.
    std::map<std::string, std::set<std::uint16_t>, std::less<>> left_out_;
    std::optional<SecretBytes> given_pin_; ///< by send_pin()
    std::string asked_iccid_;              ///< of the card that wanted its PIN last
    unsigned asked_attempts_ = 0;          ///< what it had left then
    struct ShownPin {
        std::string iccid;
        unsigned attempts_left = 0; ///< before
    };
    std::optional<ShownPin> unsure_pin_; ///< of the file; until the counter is read again
    std::optional<gba::Context> context_;
    BootTime use_deadline_{}; ///< of the context
    std::optional<Grace> grace_;
    Statistics statistics_;
    unsigned apdus_seen_ = 0; ///< of the present card, already in the statistics
};

} // namespace mtkey::daemon
