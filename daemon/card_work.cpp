// SPDX-License-Identifier: Apache-2.0
#include "daemon/card_work.hpp"

#include "base/encoding.hpp"
#include "base/hash.hpp"
#include "base/steps.hpp"
#include "gba/identities.hpp"
#include "uicc/gba_files.hpp"
#include "uicc/pcsc_context.hpp"
#include "uicc/status.hpp"

#include <algorithm>

namespace mtkey::daemon {
namespace {

// A card that could not be opened is tried again: it may be held by another program, or just in.
constexpr std::chrono::seconds kFirstBackOff{1};
constexpr std::chrono::seconds kLongestBackOff{60};
// design.md decision 6.
constexpr std::chrono::seconds kGrace{3};
// Readers and modems come back one by one.
constexpr std::chrono::seconds kGraceAfterSleep{10};
// Whoever has not been told of the end of sleep, or has never slept, works again then.
constexpr std::chrono::seconds kLongestSleepless{60};

std::string identity_hash(std::string_view iccid, std::string_view impi) {
    Bytes lengths;
    append_u16(lengths, iccid.size());
    append_u16(lengths, impi.size());
    return to_hex(sha256({as_octets("mtkey uicc"), lengths, as_octets(iccid), as_octets(impi)}));
}

Result<std::string> impi_of(const uicc::Application& application) {
    return application.is_isim() ? Result<std::string>(application.impi)
                                 : gba::impi_from_imsi(application.imsi, application.mnc_length);
}

} // namespace

CardWork::CardWork(const Config& config, const Clock& clock, RandomSource& random,
                   Interruption& interruption, PastKeeper& past, CardPorts ports)
    : config_(config),
      clock_(clock),
      random_(random),
      interruption_(interruption),
      past_(past),
      ports_(std::move(ports)),
      readers_(config.uicc),
      pins_(config.uicc.pin_file),
      back_off_(kFirstBackOff),
      contexts_(clock, past) {
    for (const char* name :
         {"apdus", "bootstrapping_authenticates", "http_exchanges", "gba_runs", "gba_runs_failed",
          "gba_u_runs", "gba_me_runs", "gba_2g_runs", "naf_keys_derived", "contexts_resumed"}) {
        statistics_[name] = 0;
    }
}

bool CardWork::worth_another_look() const {
    using enum CardState::State;
    switch (state_) {
    case Ready:
    case PinRequired:
    case PinBlocked:
        return false;
    case Failed: // tried before
        return readers_.usable_cards() != last_look_;
    default:
        return true;
    }
}

void CardWork::readers_changed(const uicc::ReaderReport& report) {
    readers_.note(report);
    if (!report.service && !asleep_until_) {
        contexts_.keep(clock_.boot_now() + kGrace);
    } else {
        contexts_.note_readers(!readers_.all().empty(),
                               std::ranges::any_of(readers_.all(), &uicc::ReaderState::present));
    }
    if (asleep_until_) {
        return;
    }
    const auto* here = readers_.find(reader_);
    if (here != nullptr && here->present && !here->mute && event_of(*here) == event_) {
        if (open_) {
            return;
        }
        if (!worth_another_look()) {
            if (readers_.useless(reader_, event_) == nullptr) {
                interruption_.use(Interruption::Place{reader_, event_});
            }
            return;
        }
    }
    // Readers and modems come back one by one after sleep: what was there at once may have been the
    // state before it.
    if (awake_since_ && clock_.boot_now() < *awake_since_ + kGraceAfterSleep &&
        (here == nullptr || here->present)) {
        contexts_.keep(*awake_since_ + kGraceAfterSleep);
    }
    close(readers_.all().empty() ? CardState::State::NoReader : CardState::State::NoCard);
    back_off_ = kFirstBackOff;
    look_for_card();
}

void CardWork::look_for_card() {
    struct Failure {
        Interruption::Place place;
        Error error;
    };
    std::optional<Failure> later; // may open some time
    std::optional<Failure> useless_here;
    const auto back_off = back_off_;
    auto left = readers_.all();
    last_look_ = readers_.usable_cards();
    std::erase_if(left, [&](const auto& reader) {
        const auto* card = readers_.useless(reader.name, event_of(reader));
        if (card != nullptr && !useless_here) {
            useless_here = Failure{{reader.name, card->event}, card->why};
        }
        return card != nullptr;
    });
    while (true) {
        const auto choice = readers_.choose(left);
        if (!choice.chosen) {
            readers_.tell_skipped(choice);
            break;
        }
        reader_ = choice.chosen->name;
        event_ = event_of(*choice.chosen);
        interruption_.use(Interruption::Place{reader_, event_});
        const auto opened = open();
        const bool waits_for_pin = !opened && wants_pin(opened.error());
        if (opened || waits_for_pin) {
            if (!opened) {
                failed(opened.error());
            }
            readers_.used(reader_);
            readers_.tell_skipped(choice);
            return;
        }
        const Failure failure{{reader_, event_}, opened.error()};
        const bool of_no_use = readers_.of_no_use(reader_, event_, failure.error);
        last_look_ = readers_.usable_cards();
        if (of_no_use) {
            close(CardState::State::Failed);
            last_error_ = failure.error;
            readers_.tell_skipped(reader_, describe(failure.error));
            useless_here = useless_here ? useless_here : std::optional(failure);
        } else {
            back_off_ = back_off; // one step a look, however many readers
            failed(failure.error);
            later = later ? later : std::optional(failure);
        }
        std::erase_if(left, [&](const auto& reader) { return reader.name == reader_; });
    }
    if (const auto& stay = later ? later : useless_here) {
        reader_ = stay->place.reader;
        event_ = stay->place.event;
        const auto when = retry_at_;
        close(later ? state_after(stay->error.code) : CardState::State::Failed);
        retry_at_ = later ? when : std::nullopt;
        last_error_ = stay->error;
        interruption_.use(later ? std::optional(stay->place) : std::nullopt);
        return;
    }
    interruption_.use(std::nullopt);
    const auto mute = std::ranges::find_if(
        readers_.all(), [](const auto& reader) { return reader.present && reader.mute; });
    if (mute != readers_.all().end()) {
        reader_ = mute->name;
        event_ = event_of(*mute);
        close(CardState::State::Mute);
    } else {
        reader_.clear();
    }
}

std::optional<BootTime> CardWork::retry_at() const {
    if (asleep_until_) {
        return asleep_until_;
    }
    const auto end = contexts_.next_end();
    return retry_at_ && end ? std::min(*retry_at_, *end) : retry_at_ ? retry_at_ : end;
}

void CardWork::retry() {
    if (asleep_until_) {
        wake_up_in_time();
        return;
    }
    if (contexts_.end_what_is_over() && (!retry_at_ || clock_.boot_now() < *retry_at_)) {
        return;
    }
    retry_at_.reset();
    if (open_ || reader_.empty()) {
        return;
    }
    look_for_card();
}

uicc::OpenOptions CardWork::open_options() {
    uicc::OpenOptions out;
    out.configured_mnc_length = config_.uicc.mnc_length;
    out.iccid = config_.uicc.iccid;
    out.choice = config_.uicc.application;
    out.sim = config_.gba.allow_2g && readers_.has_refused_class(reader_, event_);
    out.pin_counted = [this](std::string_view iccid, unsigned attempts_left) {
        pins_.counted(iccid, attempts_left);
        pin_attempts_left_ = static_cast<int>(attempts_left); // for who is to show one
    };
    out.pin = [this](std::string_view iccid) {
        auto pin = pins_.pin_for(iccid);
        if (open_ && pin) {
            open_->pin_shown = true;
        }
        return pin;
    };
    return out;
}

void CardWork::note_pin(const Error& error) {
    if (error.code == Errc::PinIncorrect) {
        pins_.refused();
        pin_attempts_left_ = static_cast<int>(error.detail);
    }
}

Result<void> CardWork::gone() const {
    if (asleep_until_) {
        return fail(Errc::NotReady, "the system is about to sleep");
    }
    if (!interruption_.lost()) {
        return {};
    }
    return interruption_.service_gone() ? fail(Errc::NoReader, "pcscd has gone")
                                        : fail(Errc::NoCard, "the UICC has left");
}

Result<void> CardWork::open() {
    MTKEY_CHECK(gone());
    if (const auto* card = readers_.useless(reader_, event_)) {
        return std::unexpected(card->why);
    }
    auto opened = open_or_leave();
    if (!opened && open_ && !open_->pin_shown && is_no_uicc(opened.error())) {
        open_->link->leave_alone();
    }
    return opened;
}

/// Without memory (std::bad_alloc) no card is left half open: the next job would take it for good.
Result<void> CardWork::open_or_leave() {
    try {
        return open_application();
    } catch (...) {
        contexts_.wipe();
        open_.reset();
        retry_at_ = clock_.boot_now() + back_off_;
        throw;
    }
}

Result<void> CardWork::open_application() {
    auto link = MTKEY_TRY(ports_.connect(reader_));
    apdus_seen_ = 0;
    open_.emplace(Open{std::move(link), nullptr, {}, {}, {}, false});
    open_->card = MTKEY_TRY(open_->link->begin());
    auto application = uicc::open_application(*open_->card, open_options());
    note_apdus();
    if (!application) {
        note_pin(application.error());
        if (uicc::refuses_class(application.error()) && !config_.gba.allow_2g) {
            application.error().context +=
                ", as a SIM does (gba.allow_2g = true lets one be used, in 2G GBA)";
        }
        return std::unexpected(application.error());
    }
    MTKEY_CHECK(settle_left_out(*application));
    open_->application = *std::move(application);
    pin_attempts_left_ = open_->application.pin_attempts_left;
    open_->impi = MTKEY_TRY(impi_of(open_->application));
    open_->uicc = identity_hash(open_->application.iccid, open_->impi);
    readers_.is_of_use(reader_);
    MTKEY_CHECK(settle_kept());
    MTKEY_CHECK(resume());
    state_ = CardState::State::Ready;
    last_error_.reset();
    retry_at_.reset();
    back_off_ = kFirstBackOff;
    end_job();
    log(LogLevel::Notice, "UICC ready",
        {{"reader", reader_},
         {"application", open_->application.is_isim()  ? "isim"
                         : open_->application.is_sim() ? "sim"
                                                       : "usim"},
         {"identity", masked_identity(open_->impi)},
         {"gba", open_->application.gba ? "yes" : "no"}});
    return {};
}

/// What was refused in a bad moment is there after a reset, a second later. A card that refuses it
/// again never had it for us, and is used without it.
Result<void> CardWork::settle_left_out(const uicc::Application& application) {
    if (application.left_out.empty()) {
        left_out_.erase(application.iccid);
        return {};
    }
    auto& before = left_out_[application.iccid];
    std::optional<Error> first;
    for (const auto& [file, why] : application.left_out) {
        if (before.insert(file).second && !first) {
            first = Error{Errc::CardFailed, why.detail, why.context};
        }
    }
    return first ? Result<void>(std::unexpected(*first)) : Result<void>();
}

void CardWork::fall_asleep() {
    if (!asleep_until_) {
        contexts_.fall_asleep();
        close(CardState::State::NoCard);
        interruption_.use(std::nullopt);
    }
    asleep_until_ = clock_.boot_now() + kLongestSleepless;
}

void CardWork::wake_up() {
    if (!asleep_until_) {
        return;
    }
    asleep_until_.reset();
    awake_since_ = clock_.boot_now();
    contexts_.wake_up(*awake_since_ + kGraceAfterSleep);
    back_off_ = kFirstBackOff;
    look_for_card();
}

void CardWork::wake_up_in_time() {
    if (asleep_until_ && clock_.boot_now() >= *asleep_until_) {
        wake_up();
    }
}

Result<void> CardWork::settle_kept() {
    if (!contexts_.kept()) {
        return {};
    }
    const auto& context = *contexts_.present();
    bool same = contexts_.expects(open_->uicc);
    if (same && context.mode() == gba::Mode::GbaU) {
        // Meanwhile it was anybody's.
        same = open_->application.gbabp_size > 0 &&
               MTKEY_TRY(uicc::read_gbabp_rand(*open_->card, open_->application.entry.kind)) ==
                   context.rand();
    }
    contexts_.settle(same);
    return {};
}

void CardWork::end() {
    contexts_.wipe();
    past_.note_time();
    close(CardState::State::NoCard);
    reader_.clear();
    interruption_.use(std::nullopt);
}

void CardWork::close(CardState::State state) {
    contexts_.card_left();
    pins_.forget_given();
    retry_at_.reset();
    if (open_) {
        note_apdus();
        open_.reset();
        log(LogLevel::Notice, "UICC closed", {{"reader", reader_}});
    }
    state_ = state;
}

void CardWork::failed(const Error& error) {
    if (interruption_.service_gone() || uicc::is_service_away(error)) {
        contexts_.keep(clock_.boot_now() + kGrace);
    }
    if (state_ != CardState::State::Ready || ends_card(error)) {
        close(state_after(error.code));
        log_warning("UICC in " + reader_, error);
        using enum CardState::State;
        if (!reader_.empty() && state_ != PinRequired && state_ != PinBlocked &&
            (error.code != Errc::NotSupportedByCard || !config_.uicc.modem.device.empty()) &&
            readers_.useless(reader_, event_) == nullptr) {
            retry_at_ = clock_.boot_now() + back_off_;
            back_off_ = std::min(back_off_ * 2, kLongestBackOff);
        }
    }
    last_error_ = error;
}

void CardWork::note_apdus() {
    const unsigned now = open_ ? open_->link->apdu_count() : 0;
    statistics_["apdus"] += now - apdus_seen_;
    apdus_seen_ = now;
}

} // namespace mtkey::daemon
