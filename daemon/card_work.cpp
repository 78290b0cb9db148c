// SPDX-License-Identifier: Apache-2.0
#include "daemon/card_work.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/hash.hpp"
#include "base/steps.hpp"
#include "gba/identities.hpp"

namespace mtkey::daemon {
namespace {

constexpr std::chrono::seconds kConnectLimit{10};
// Another program that is just leaving the reader gets this long.
constexpr std::chrono::seconds kBusyPatience{3};

std::string identity_hash(std::string_view iccid, std::string_view impi) {
    Bytes lengths;
    append_u16(lengths, iccid.size());
    append_u16(lengths, impi.size());
    return to_hex(sha256({as_octets("mtkey uicc"), lengths, as_octets(iccid), as_octets(impi)}));
}

std::string_view to_text(uicc::MncSource source) {
    switch (source) {
    case uicc::MncSource::EfAd:
        return "ef-ad";
    case uicc::MncSource::Table:
        return "table";
    case uicc::MncSource::Configuration:
        return "configuration";
    case uicc::MncSource::Fallback:
        return "fallback";
    }
    return "fallback";
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

/// The card, or the way to it, is lost: nothing that was read or made with it may be used on.
bool card_lost(Errc code) {
    return code == Errc::NoCard || code == Errc::NoReader || code == Errc::CardFailed ||
           code == Errc::ReaderBusy;
}

} // namespace

CardWork::CardWork(const Config& config, const Clock& clock, RandomSource& random)
    : config_(config), clock_(clock), random_(random) {
    for (const char* name : {"apdus", "bootstrapping_authenticates", "http_exchanges", "gba_runs",
                             "gba_runs_failed", "gba_u_runs", "gba_me_runs", "naf_keys_derived"}) {
        statistics_[name] = 0;
    }
}

void CardWork::readers_changed(const uicc::ReaderReport& report) {
    if (!report.service) {
        close(CardState::State::NoReader);
        reader_.clear();
        return;
    }
    const uicc::ReaderState* chosen = nullptr;
    for (const auto& reader : report.readers) {
        if (reader.present && (chosen == nullptr || reader.name == reader_)) {
            chosen = &reader;
        }
    }
    if (chosen == nullptr) {
        close(report.readers.empty() ? CardState::State::NoReader : CardState::State::NoCard);
        reader_.clear();
        return;
    }
    // The upper half of the state counts insertions and removals: a card that was out however
    // shortly is another one.
    const std::uint32_t event = chosen->raw >> 16;
    if (chosen->name == reader_ && event == event_ && open_) {
        return;
    }
    const bool tried = chosen->name == reader_ && event == event_;
    reader_ = chosen->name;
    event_ = event;
    if (chosen->mute) {
        close(CardState::State::Mute);
    } else if (!tried || state_ == CardState::State::Busy) {
        close(CardState::State::NoCard);
        if (const auto opened = open(reader_); !opened) {
            failed(opened.error());
        }
    }
}

std::optional<SecretBytes> CardWork::pin_for(std::string_view iccid) {
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
    out.pin = [this](std::string_view iccid) {
        asked_iccid_ = iccid;
        return pin_for(iccid);
    };
    return out;
}

Result<void> CardWork::open(const std::string& reader) {
    uicc::ConnectOptions options;
    options.sharing = config_.uicc.exclusive ? uicc::Sharing::Exclusive : uicc::Sharing::Shared;
    options.patience = kBusyPatience;
    auto session = MTKEY_TRY(uicc::connect_within(kConnectLimit, reader, options));
    apdus_seen_ = 0;
    open_.emplace(Open{std::move(session), std::nullopt, {}, {}, {}});
    open_->transaction.emplace(MTKEY_TRY(open_->session.card.begin()));

    auto application = uicc::open_usim(*open_->transaction, open_options());
    note_apdus();
    if (!application) {
        if (application.error().code == Errc::PinIncorrect) {
            // Never sent again to this card (threats U5).
            refused_pins_.insert(asked_iccid_);
            pin_attempts_left_ = static_cast<int>(application.error().detail);
        }
        return std::unexpected(application.error());
    }
    open_->application = *std::move(application);
    pin_attempts_left_ = open_->application.pin_attempts_left;
    open_->impi =
        MTKEY_TRY(gba::impi_from_imsi(open_->application.imsi, open_->application.mnc_length));
    open_->uicc = identity_hash(open_->application.iccid, open_->impi);
    state_ = CardState::State::Ready;
    last_error_.reset();
    if (!config_.uicc.exclusive) {
        open_->transaction.reset();
    }
    log(LogLevel::Notice, "UICC ready",
        {{"reader", reader},
         {"identity", masked_identity(open_->impi)},
         {"gba", open_->application.gba ? "yes" : "no"}});
    return {};
}

void CardWork::close(CardState::State state) {
    // Ks, Ks_(ext)_NAF and B-TID go with the card (design.md decision 6).
    context_.reset();
    if (open_) {
        note_apdus();
        open_->transaction.reset();
        open_.reset();
        log(LogLevel::Notice, "UICC closed", {{"reader", reader_}});
    }
    state_ = state;
}

void CardWork::failed(const Error& error) {
    if (state_ != CardState::State::Ready || card_lost(error.code)) {
        close(state_after(error.code));
        log_warning("UICC in " + reader_, error);
    }
    last_error_ = error;
}

void CardWork::note_apdus() {
    const unsigned now = open_ ? open_->session.card.apdu_count() : 0;
    statistics_["apdus"] += now - apdus_seen_;
    apdus_seen_ = now;
}

Result<uicc::CardChannel*> CardWork::begin_job() {
    if (!open_) {
        if (reader_.empty()) {
            return fail(state_ == CardState::State::NoReader ? Errc::NoReader : Errc::NoCard);
        }
        // Busy or failed before: the other program may have left by now.
        if (const auto opened = open(reader_); !opened) {
            failed(opened.error());
            return std::unexpected(opened.error());
        }
    }
    if (!open_->transaction) {
        open_->transaction.emplace(MTKEY_TRY(open_->session.card.begin()));
        // Somebody else may have used the card, and it was reset when we left it: selection and PIN
        // are gone.
        const auto selected =
            uicc::reopen_usim(*open_->transaction, open_->application, open_options());
        if (!selected) {
            open_->transaction.reset();
            failed(selected.error());
            return std::unexpected(selected.error());
        }
    }
    return &*open_->transaction;
}

void CardWork::end_job() {
    note_apdus();
    if (open_ && !config_.uicc.exclusive) {
        open_->transaction.reset();
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
    return out;
}

Result<gba::Context> CardWork::run(uicc::CardChannel& card) {
    auto settings = bsf_settings();
    if (settings.fqdn.empty()) {
        settings.fqdn = MTKEY_TRY(
            gba::bsf_fqdn_from_imsi(open_->application.imsi, open_->application.mnc_length));
    }
    gba::RunSettings how;
    how.impi = open_->impi;
    how.card_has_gba = open_->application.gba;
    how.gbabp_size = open_->application.gbabp_size;
    how.policy = config_.gba.mode;
    how.allow_downgrade = config_.gba.allow_downgrade;
    how.require_rspauth = config_.bsf.require_rspauth;

    http::Client client(std::move(settings));
    {
        const std::scoped_lock lock(client_mutex_);
        cancelled_ = false;
        client_ = &client;
    }
    auto context = gba::bootstrap(card, client, clock_, random_, how);
    {
        const std::scoped_lock lock(client_mutex_);
        client_ = nullptr;
    }
    if (cancelled_ && !context) {
        return fail(Errc::Cancelled, "bootstrapping");
    }
    return context;
}

Result<void> CardWork::bootstrap(bool force) {
    if (!force && context_ && context_->valid(clock_)) {
        const keys::ContextFacts facts{context_->b_tid(), context_->created(), context_->expires(),
                                       true};
        if (keys::usable(facts, clock_.utc_now())) {
            return {};
        }
    }
    auto* card = MTKEY_TRY(begin_job());
    const bool by_uicc = open_->application.gba && config_.gba.mode != gba::ModePolicy::MeOnly;
    emit_step(Step::GbaRunStarted, {{"mode", by_uicc ? "gba-u" : "gba-me"}});
    // The card's Ks is gone with the first AUTHENTICATE(DD): the old B-TID must not be handed out
    // again.
    context_.reset();
    auto context = run(*card);
    end_job();
    ++statistics_["gba_runs"];
    if (!context) {
        ++statistics_["gba_runs_failed"];
        log_error("bootstrapping failed", context.error());
        failed(context.error());
        return std::unexpected(context.error());
    }
    ++statistics_[context->mode() == gba::Mode::GbaU ? "gba_u_runs" : "gba_me_runs"];
    statistics_["http_exchanges"] += context->counts().http_exchanges;
    statistics_["bootstrapping_authenticates"] += context->counts().bootstrapping_authenticates;
    context_ = *std::move(context);
    last_error_.reset();
    log(LogLevel::Notice, "bootstrapped",
        {{"mode", gba::to_text(context_->mode())},
         {"b_tid", masked_b_tid(context_->b_tid())},
         {"expires", format_utc(context_->expires())}});
    return {};
}

Result<NafKey> CardWork::naf_key(const kdf::NafId& naf_id, const std::string& b_tid) {
    if (!context_ || context_->b_tid() != b_tid || !context_->valid(clock_)) {
        return fail(Errc::BtidStale, masked_b_tid(b_tid));
    }
    uicc::CardChannel* card = nullptr;
    const bool cached = context_->has_cached(naf_id);
    if (!cached) {
        card = MTKEY_TRY(begin_job());
    }
    const auto ks_naf = context_->ks_naf(card, naf_id);
    end_job();
    if (!ks_naf) {
        if (ks_naf.error().code == Errc::NoKsOnCard) {
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
    out.ks_deadline = context_->deadline();
    return out;
}

void CardWork::discard() {
    context_.reset();
}

void CardWork::cancel() {
    const std::scoped_lock lock(client_mutex_);
    cancelled_ = true;
    if (client_ != nullptr) {
        client_->cancel();
    }
}

CardState CardWork::state() const {
    CardState out;
    out.state = state_;
    out.reader = reader_;
    out.pin_attempts_left = pin_attempts_left_;
    out.last_error = last_error_;
    if (open_) {
        out.identity = masked_identity(open_->impi);
        out.uicc = open_->uicc;
        out.gba = open_->application.gba;
        out.mnc_source = to_text(open_->application.mnc_source);
        out.naf_key_centers = open_->application.naf_key_centers;
    }
    if (context_) {
        out.context = keys::ContextFacts{context_->b_tid(), context_->created(),
                                         context_->expires(), context_->valid(clock_)};
        out.mode = context_->mode();
        out.counts = context_->counts();
    }
    return out;
}

} // namespace mtkey::daemon
