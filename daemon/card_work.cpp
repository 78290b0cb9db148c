// SPDX-License-Identifier: Apache-2.0
#include "daemon/card_work.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
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

std::string identity_hash(std::string_view iccid, std::string_view impi) {
    Bytes lengths;
    append_u16(lengths, iccid.size());
    append_u16(lengths, impi.size());
    return to_hex(sha256({as_octets("mtkey uicc"), lengths, as_octets(iccid), as_octets(impi)}));
}

bool is_isim(const uicc::Application& application) {
    return application.entry.kind == uicc::DirEntry::Kind::Isim;
}

Result<std::string> impi_of(const uicc::Application& application) {
    return is_isim(application) ? Result<std::string>(application.impi)
                                : gba::impi_from_imsi(application.imsi, application.mnc_length);
}

Result<std::string> bsf_fqdn_of(const uicc::Application& application) {
    return is_isim(application) ? gba::bsf_fqdn_from_impi(application.impi)
                                : gba::bsf_fqdn_from_imsi(application.imsi, application.mnc_length);
}

CardState::State state_after(Errc code) {
    using enum CardState::State;
    switch (code) {
    case Errc::NoReader:
        return NoReader;
    case Errc::NoCard:
        return NoCard;
    case Errc::ReaderBusy:
        return Busy;
    case Errc::PinRequired:
    case Errc::PinIncorrect:
    case Errc::PinFloor:
        return PinRequired;
    case Errc::PinBlocked:
        return PinBlocked;
    default:
        return Failed;
    }
}

bool wants_pin(const Error& error) {
    const auto state = state_after(error.code);
    return state == CardState::State::PinRequired || state == CardState::State::PinBlocked;
}

/// No EF_ICCID, no such class.
bool looks_like_no_uicc(const Error& error) {
    return uicc::is_status_error(error) && (error.detail == uicc::sw::kFileNotFound ||
                                            error.detail == uicc::sw::kInstructionNotSupported ||
                                            error.detail == uicc::sw::kClassNotSupported);
}

/// As far as one look can tell: what 6E 00 says may be true of a UICC in a GSM session.
bool is_no_uicc(const Error& error) {
    return error.code == Errc::NotSupportedByCard ||
           (uicc::is_status_error(error) && error.detail == uicc::sw::kFileNotFound);
}

std::uint32_t event_of(const uicc::ReaderState& reader) {
    return reader.raw >> 16;
}

/// Its ICCID is looked at when the card is open: once, and with what else may be wrong with it.
uicc::ReaderWish wish_of(const UiccConfig& config) {
    return {.pattern = config.reader,
            .ignore = config.ignore,
            .allow_virtual = config.allow_virtual,
            .iccid = {}};
}

/// Nothing that was read of the card or made with it may be used on: it is lost, or the way to it;
/// it may have executed a command whose answer nobody saw; or its PIN is not verified any more. A
/// status word that makes no sense is none of these: the card is there and has answered. But 6Cxx
/// has been followed already: a card that stays with it has lost the thread, until it is reset.
bool ends_card(const Error& error) {
    const bool answered = error.detail > 0 && error.detail <= 0xFFFF && // SW1SW2, not a SCARD code
                          error.detail >> 8 != 0x6C;
    return error.code == Errc::TimedOut || (error.code == Errc::CardFailed && !answered) ||
           (state_after(error.code) != CardState::State::Failed);
}

} // namespace

CardWork::CardWork(const Config& config, const Clock& clock, RandomSource& random,
                   Interruption& interruption, CardPorts ports)
    : config_(config),
      clock_(clock),
      random_(random),
      interruption_(interruption),
      ports_(std::move(ports)),
      back_off_(kFirstBackOff) {
    for (const char* name : {"apdus", "bootstrapping_authenticates", "http_exchanges", "gba_runs",
                             "gba_runs_failed", "gba_u_runs", "gba_me_runs", "naf_keys_derived"}) {
        statistics_[name] = 0;
    }
}

void CardWork::tell_skipped(const std::string& reader, std::string_view why) {
    if (auto& told = told_[reader]; told != why) {
        told = why;
        log(LogLevel::Info, "reader not used", {{"reader", reader}, {"why", why}});
    }
}

void CardWork::note_readers(const uicc::ReaderReport& report) {
    readers_.clear();
    const auto wish = wish_of(config_.uicc);
    for (const auto& reader : report.readers) {
        if (const auto why = uicc::refused_by_name(wish, reader.name)) {
            tell_skipped(reader.name, uicc::describe(*why));
        } else if (report.service) {
            readers_.push_back(reader);
        }
    }
    std::erase_if(told_, [&](const auto& told) {
        return std::ranges::find(report.readers, told.first, &uicc::ReaderState::name) ==
               report.readers.end();
    });
    std::erase_if(useless_, [&](const auto& card) {
        return std::ranges::none_of(readers_, [&](const auto& reader) {
            return reader.name == card.first && reader.present &&
                   event_of(reader) == card.second.event;
        });
    });
}

const CardWork::Useless* CardWork::useless(const std::string& reader, std::uint32_t event) const {
    const auto found = useless_.find(reader);
    return found != useless_.end() && found->second.event == event && found->second.sure
               ? &found->second
               : nullptr;
}

CardWork::Look CardWork::usable_cards() const {
    Look out;
    for (const auto& reader : readers_) {
        if (reader.present && !reader.mute && useless(reader.name, event_of(reader)) == nullptr) {
            out.emplace_back(reader.name, event_of(reader));
        }
    }
    return out;
}

bool CardWork::worth_another_look() const {
    using enum CardState::State;
    switch (state_) {
    case Ready:
    case PinRequired:
    case PinBlocked:
        return false;
    case Failed: // tried before
        return usable_cards() != last_look_;
    default:
        return true;
    }
}

void CardWork::readers_changed(const uicc::ReaderReport& report) {
    note_readers(report);
    if (!report.service) {
        begin_grace();
    } else if (grace_) {
        const bool present = std::ranges::any_of(readers_, &uicc::ReaderState::present);
        if (grace_->card_seen && !present) {
            end_grace(); // removed
        } else {
            grace_->card_seen = present;
        }
    }
    const auto here = std::ranges::find(readers_, reader_, &uicc::ReaderState::name);
    // The upper half of the state counts insertions and removals: a card that was out however
    // shortly is another one.
    if (here != readers_.end() && here->present && !here->mute && event_of(*here) == event_) {
        if (open_) {
            return;
        }
        if (!worth_another_look()) {
            if (useless(reader_, event_) == nullptr) {
                interruption_.use(Interruption::Place{reader_, event_});
            }
            return;
        }
    }
    close(readers_.empty() ? CardState::State::NoReader : CardState::State::NoCard);
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
    auto left = readers_;
    last_look_ = usable_cards();
    std::erase_if(left, [&](const auto& reader) {
        const auto* card = useless(reader.name, event_of(reader));
        if (card != nullptr && !useless_here) {
            useless_here = Failure{{reader.name, card->event}, card->why};
        }
        return card != nullptr;
    });
    while (true) {
        const auto choice = uicc::choose_reader(left, wish_of(config_.uicc), {});
        if (!choice.chosen) {
            for (const auto& skipped : choice.skipped) {
                tell_skipped(skipped.name, uicc::describe(skipped.why));
            }
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
            told_.erase(reader_);
            for (const auto& skipped : choice.skipped) {
                tell_skipped(skipped.name, uicc::describe(skipped.why));
            }
            return;
        }
        const Failure failure{{reader_, event_}, opened.error()};
        if (of_no_use(failure.error)) {
            close(CardState::State::Failed);
            last_error_ = failure.error;
            tell_skipped(reader_, describe(failure.error));
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
        readers_, [](const auto& reader) { return reader.present && reader.mute; });
    if (mute != readers_.end()) {
        reader_ = mute->name;
        event_ = event_of(*mute);
        close(CardState::State::Mute);
    } else {
        reader_.clear();
    }
}

bool CardWork::of_no_use(const Error& error) {
    bool sure = error.code == Errc::NotSupportedByCard;
    if (!sure) {
        if (!looks_like_no_uicc(error)) {
            return false;
        }
        // Or a UICC in the middle of something; it has been reset since.
        const auto before = useless_.find(reader_);
        sure = before != useless_.end() && before->second.event == event_ &&
               before->second.why.detail == error.detail;
    }
    useless_.insert_or_assign(reader_, Useless{event_, error, sure});
    last_look_ = usable_cards();
    return sure;
}

std::optional<BootTime> CardWork::retry_at() const {
    return grace_ && (!retry_at_ || grace_->until < *retry_at_) ? grace_->until : retry_at_;
}

void CardWork::retry() {
    if (grace_ && clock_.boot_now() >= grace_->until) {
        end_grace();
        if (!retry_at_ || clock_.boot_now() < *retry_at_) {
            return;
        }
    }
    retry_at_.reset();
    if (open_ || reader_.empty()) {
        return;
    }
    look_for_card();
}

std::optional<SecretBytes> CardWork::pin_for(std::string_view iccid) {
    if (given_pin_) {
        return given_pin_->clone();
    }
    if (config_.uicc.pin_file.empty() || refused_pins_.contains(iccid)) {
        return std::nullopt;
    }
    auto content = read_secret_file(config_.uicc.pin_file, 64);
    if (!content) {
        log_error("PIN file", content.error());
        return std::nullopt;
    }
    std::size_t size = content->size();
    while (size > 0 &&
           (content->reveal()[size - 1] == '\n' || content->reveal()[size - 1] == '\r')) {
        --size;
    }
    return SecretBytes(content->reveal().first(size));
}

uicc::OpenOptions CardWork::open_options() {
    uicc::OpenOptions out;
    out.configured_mnc_length = config_.uicc.mnc_length;
    out.choice = config_.uicc.application;
    out.pin_counted = [this](std::string_view iccid, unsigned attempts_left) {
        // Shown before, and the answer never came: an attempt that is gone says what it was.
        if (unsure_pin_ && unsure_pin_->iccid == iccid) {
            if (attempts_left < unsure_pin_->attempts_left) {
                refused_pins_.emplace(iccid);
            }
            unsure_pin_.reset();
        }
        asked_attempts_ = attempts_left;
    };
    out.pin = [this](std::string_view iccid) {
        asked_iccid_ = iccid;
        auto pin = pin_for(iccid);
        if (open_ && pin) {
            open_->pin_shown = true;
        }
        if (pin && !given_pin_) {
            unsure_pin_ = {asked_iccid_, asked_attempts_};
        }
        return pin;
    };
    return out;
}

/// A PIN that was refused is never sent again to this card (threats U5).
void CardWork::note_pin(const Error& error) {
    if (error.code == Errc::PinIncorrect) {
        if (!given_pin_) {
            refused_pins_.insert(asked_iccid_);
        }
        pin_attempts_left_ = static_cast<int>(error.detail);
    }
}

Result<void> CardWork::gone() const {
    if (!interruption_.lost()) {
        return {};
    }
    return interruption_.service_gone() ? fail(Errc::NoReader, "pcscd has gone")
                                        : fail(Errc::NoCard, "the UICC has left");
}

Result<void> CardWork::open() {
    MTKEY_CHECK(gone());
    if (const auto* card = useless(reader_, event_)) {
        return std::unexpected(card->why);
    }
    auto opened = open_application();
    if (!opened && open_ && !open_->pin_shown && is_no_uicc(opened.error())) {
        open_->link->leave_alone();
    }
    return opened;
}

Result<void> CardWork::open_application() {
    auto link = MTKEY_TRY(ports_.connect(reader_));
    apdus_seen_ = 0;
    open_.emplace(Open{std::move(link), nullptr, {}, {}, {}, false});
    open_->card = MTKEY_TRY(open_->link->begin());

    // Before anything else of it is touched, its PIN above all.
    if (!config_.uicc.iccid.empty() &&
        MTKEY_TRY(uicc::read_iccid(*open_->card)) != config_.uicc.iccid) {
        return fail(Errc::NotSupportedByCard, "the UICC is not that of uicc.iccid");
    }
    auto application = uicc::open_application(*open_->card, open_options());
    note_apdus();
    if (!application) {
        note_pin(application.error());
        return std::unexpected(application.error());
    }
    MTKEY_CHECK(settle_left_out(*application));
    open_->application = *std::move(application);
    pin_attempts_left_ = open_->application.pin_attempts_left;
    open_->impi = MTKEY_TRY(impi_of(open_->application));
    open_->uicc = identity_hash(open_->application.iccid, open_->impi);
    useless_.erase(reader_); // a doubt
    MTKEY_CHECK(settle_grace());
    state_ = CardState::State::Ready;
    last_error_.reset();
    retry_at_.reset();
    back_off_ = kFirstBackOff;
    end_job();
    log(LogLevel::Notice, "UICC ready",
        {{"reader", reader_},
         {"application", is_isim(open_->application) ? "isim" : "usim"},
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

void CardWork::begin_grace() {
    if (!grace_ && open_ && context_) {
        grace_ = Grace{open_->uicc, clock_.boot_now() + kGrace};
    }
}

void CardWork::end_grace() {
    if (grace_) {
        context_.reset();
        grace_.reset();
        log(LogLevel::Notice, "the UICC is not back in time: its keys are wiped");
    }
}

Result<void> CardWork::settle_grace() {
    if (!grace_) {
        return {};
    }
    bool same = context_ && grace_->uicc == open_->uicc && clock_.boot_now() < grace_->until;
    if (same && context_->mode() == gba::Mode::GbaU) {
        // Meanwhile it was anybody's.
        same = open_->application.gbabp_size > 0 &&
               MTKEY_TRY(uicc::read_gbabp_rand(*open_->card, open_->application.entry.kind)) ==
                   context_->rand();
    }
    if (!same) {
        context_.reset();
    }
    grace_.reset();
    log(LogLevel::Notice, "UICC again after pcscd was away", {{"keys", same ? "kept" : "wiped"}});
    return {};
}

void CardWork::end() {
    grace_.reset();
    close(CardState::State::NoCard);
    reader_.clear();
    interruption_.use(std::nullopt);
}

void CardWork::close(CardState::State state) {
    // Ks, Ks_(ext)_NAF and B-TID go with the card (design.md decision 6).
    if (!grace_) {
        context_.reset();
    }
    given_pin_.reset();
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
        begin_grace();
    }
    if (state_ != CardState::State::Ready || ends_card(error)) {
        close(state_after(error.code));
        log_warning("UICC in " + reader_, error);
        using enum CardState::State;
        if (!reader_.empty() && state_ != PinRequired && state_ != PinBlocked &&
            error.code != Errc::NotSupportedByCard && useless(reader_, event_) == nullptr) {
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

Result<uicc::CardChannel*> CardWork::begin_job() {
    MTKEY_CHECK(gone());
    if (!open_) {
        if (reader_.empty()) {
            return fail(state_ == CardState::State::NoReader ? Errc::NoReader : Errc::NoCard);
        }
        // Busy or failed before: the other program may have left by now.
        MTKEY_CHECK(open());
    }
    if (open_->card == nullptr) {
        open_->card = MTKEY_TRY(open_->link->begin());
        // Somebody else may have used the card, and it was reset when we left it: selection and PIN
        // are gone.
        const auto selected =
            uicc::reopen_application(*open_->card, open_->application, open_options());
        if (!selected) {
            note_pin(selected.error());
            end_job();
            return std::unexpected(selected.error());
        }
    }
    return open_->card;
}

void CardWork::end_job() {
    note_apdus();
    if (open_ && !config_.uicc.exclusive) {
        open_->card = nullptr;
        open_->link->end();
    }
}

http::ClientSettings CardWork::bsf_settings() const {
    http::ClientSettings out;
    out.fqdn = config_.bsf.fqdn;
    out.address = config_.bsf.address;
    out.tls = config_.bsf.tls;
    out.tls_settings.ca_file = config_.bsf.ca;
    out.tls_settings.system_trust = config_.bsf.ca.empty();
    out.local_address = config_.bsf.local_address;
    out.unreachable = Errc::BsfUnreachable;
    out.run_timeout = std::chrono::seconds(30); // one client is one run
    return out;
}

Result<gba::Context> CardWork::run(uicc::CardChannel& card) {
    auto settings = bsf_settings();
    if (settings.fqdn.empty()) {
        settings.fqdn = MTKEY_TRY(bsf_fqdn_of(open_->application));
    }
    gba::RunSettings how;
    how.impi = open_->impi;
    how.application = open_->application.entry.kind;
    how.card_has_gba = open_->application.gba;
    how.card_is_shared = !config_.uicc.exclusive;
    how.gba_context_missing = without_context_.contains(open_->application.iccid);
    how.gbabp_size = open_->application.gbabp_size;
    how.policy = config_.gba.mode;
    how.allow_downgrade = config_.gba.allow_downgrade;
    how.require_rspauth = config_.bsf.require_rspauth;

    const auto bsf = ports_.bsf(std::move(settings));
    const Interruption::Watched watched(interruption_, *bsf);
    InterruptibleCard interruptible(card, interruption_);
    auto context = gba::bootstrap(interruptible, *bsf, clock_, random_, how, run_events());
    if (!context && context.error().code == Errc::PeerUntrusted) {
        context.error().code = Errc::BsfUntrusted; // TLS of Ub
    }
    return context;
}

gba::RunEvents CardWork::run_events() {
    gba::RunEvents out;
    out.before_bootstrapping_command = [this](gba::Mode mode) {
        // From now on the card's former Ks may be gone: a run that failed before has harmed nobody.
        // The old B-TID must not be handed out again, not even while this run goes on.
        if (mode == gba::Mode::GbaU && context_) {
            context_.reset();
            if (changed_) {
                changed_();
            }
        }
    };
    out.card_without_gba = [this] { without_context_.insert(open_->application.iccid); };
    return out;
}

std::optional<keys::ContextFacts> CardWork::facts() const {
    if (!context_ || grace_) {
        return std::nullopt;
    }
    return keys::ContextFacts{.b_tid = context_->b_tid(),
                              .expires = context_->expires(),
                              .created = context_->created(),
                              .local_end = context_->local_end(),
                              .deadline = context_->deadline(),
                              .use_deadline = use_deadline_};
}

Result<std::optional<gba::Context>> CardWork::attempt(bool force) {
    MTKEY_CHECK(interruption_.check());
    const auto present = facts();
    if (!force && present && keys::usable(*present, clock_)) {
        return std::nullopt;
    }
    auto* card = MTKEY_TRY(begin_job());
    const auto back = facts();
    if (!force && back && keys::usable(*back, clock_)) { // pcscd was away
        end_job();
        return std::nullopt;
    }
    const bool by_uicc = open_->application.gba && config_.gba.mode != gba::ModePolicy::MeOnly &&
                         !without_context_.contains(open_->application.iccid);
    emit_step(Step::GbaRunStarted, {{"mode", by_uicc ? "gba-u" : "gba-me"}});
    auto context = run(*card);
    end_job();
    ++statistics_["gba_runs"];
    if (!context) {
        ++statistics_["gba_runs_failed"];
        return std::unexpected(context.error());
    }
    ++statistics_[context->mode() == gba::Mode::GbaU ? "gba_u_runs" : "gba_me_runs"];
    statistics_["http_exchanges"] += context->counts().http_exchanges;
    statistics_["bootstrapping_authenticates"] += context->counts().bootstrapping_authenticates;
    return *std::move(context);
}

Result<void> CardWork::bootstrap(bool force) {
    const auto asked_at = clock_.boot_now();
    auto made = attempt(force);
    // Whoever was told that the run is cancelled is told the truth, however far it has come.
    if (const auto decided = interruption_.disarm(); !decided) {
        made = std::unexpected(decided.error());
    }
    if (!made) {
        log_error("bootstrapping failed", made.error());
        if (made.error().code == Errc::Cancelled) {
            last_error_ = made.error();
        } else {
            failed(made.error());
        }
        return std::unexpected(made.error());
    }
    if (!*made) {
        return {};
    }
    context_ = **std::move(made);
    use_deadline_ = asked_at + keys::kLongestUse;
    last_error_.reset();
    log(LogLevel::Notice, "bootstrapped",
        {{"mode", gba::to_text(context_->mode())},
         {"b_tid", masked_b_tid(context_->b_tid())},
         {"expires", format_utc(context_->expires())}});
    return {};
}

Result<NafKey> CardWork::naf_key(const kdf::NafId& naf_id, const std::string& b_tid) {
    if (const auto lost = gone(); !lost) {
        failed(lost.error());
        return std::unexpected(lost.error());
    }
    if (grace_) {
        return fail(Errc::NoReader, "pcscd has gone");
    }
    if (!context_ || context_->b_tid() != b_tid || !context_->valid(clock_)) {
        return fail(Errc::BtidStale, masked_b_tid(b_tid));
    }
    uicc::CardChannel* card = nullptr;
    const bool cached = context_->has_cached(naf_id);
    if (!cached) {
        const auto begun = begin_job();
        if (!begun) {
            failed(begun.error());
            return std::unexpected(begun.error());
        }
        card = *begun;
    }
    const auto ks_naf = context_->ks_naf(card, naf_id);
    end_job();
    if (!ks_naf) {
        if (ks_naf.error().code == Errc::NoKsOnCard || ks_naf.error().code == Errc::BtidStale) {
            context_.reset();
            return fail(Errc::BtidStale, masked_b_tid(b_tid), ks_naf.error().detail);
        }
        failed(ks_naf.error());
        return std::unexpected(ks_naf.error());
    }
    if (!cached) {
        ++statistics_["naf_keys_derived"];
    }
    NafKey out;
    out.ks_naf = (*ks_naf)->clone();
    out.b_tid = context_->b_tid();
    out.mode = context_->mode();
    out.uicc = open_ ? open_->uicc : std::string();
    out.ks_expires = context_->expires();
    out.ks_local_end = context_->local_end();
    out.ks_deadline = context_->deadline();
    return out;
}

Result<void> CardWork::discard(const std::string& b_tid) {
    if (!context_ || context_->b_tid() != b_tid) {
        return fail(Errc::NotFound, "session of " + masked_b_tid(b_tid));
    }
    context_.reset();
    grace_.reset();
    return {};
}

Result<void> CardWork::send_pin(SecretBytes pin) {
    if (state_ != CardState::State::PinRequired || reader_.empty()) {
        return fail(Errc::Rejected, "the UICC wants no PIN");
    }
    const auto digits = pin.reveal();
    if (digits.size() < 4 || digits.size() > 8 ||
        !std::ranges::all_of(digits, [](auto c) { return c >= '0' && c <= '9'; })) {
        return fail(Errc::InvalidArgument, "a PIN is 4 to 8 digits");
    }
    given_pin_ = std::move(pin);
    const auto opened = open();
    if (!opened) {
        failed(opened.error()); // wipes it
    } else if (config_.uicc.exclusive) {
        given_pin_.reset();
    }
    return opened;
}

CardState CardWork::state() const {
    CardState out;
    out.state = state_;
    out.reader = reader_;
    out.pin_attempts_left = pin_attempts_left_;
    out.last_error = last_error_;
    if (interruption_.lost()) {
        // The job that closes it comes behind the one under way.
        out.state = state_after(gone().error().code);
        return out;
    }
    if (open_) {
        out.identity = masked_identity(open_->impi);
        out.uicc = open_->uicc;
        out.gba = open_->application.gba;
        out.mnc_source = uicc::mnc_source_name(open_->application.mnc_source);
        out.naf_key_centers = open_->application.naf_key_centers;
    }
    out.context = facts();
    if (out.context) {
        out.mode = context_->mode();
        out.counts = context_->counts();
    }
    return out;
}

} // namespace mtkey::daemon
