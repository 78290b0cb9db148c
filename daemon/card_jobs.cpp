// SPDX-License-Identifier: Apache-2.0
// What CardWork does with the card that it has found: a run, NAF keys, a PIN.
#include "daemon/card_work.hpp"

#include "base/steps.hpp"
#include "gba/identities.hpp"

#include <algorithm>

namespace mtkey::daemon {
namespace {

Result<std::string> bsf_fqdn_of(const uicc::Application& application) {
    return application.is_isim()
               ? gba::bsf_fqdn_from_impi(application.impi)
               : gba::bsf_fqdn_from_imsi(application.imsi, application.mnc_length);
}

/// Of Manager1.Statistics: "gba_u_runs" and the like.
std::string counter_of(gba::Mode mode) {
    std::string name(gba::to_text(mode));
    std::ranges::replace(name, '-', '_');
    return name + "_runs";
}

} // namespace

Result<CardWork::Job> CardWork::begin_job() {
    MTKEY_CHECK(gone());
    if (!open_) {
        if (reader_.empty()) {
            return fail(state_ == CardState::State::NoReader ? Errc::NoReader : Errc::NoCard);
        }
        // Busy or failed before: the other program may have left by now.
        MTKEY_CHECK(open());
    }
    Job job(*this);
    if (!open_->link->tells_of_removal()) {
        MTKEY_CHECK(expect_same_card());
    }
    if (open_->card == nullptr) {
        open_->card = MTKEY_TRY(open_->link->begin());
        // Somebody else may have used the card, and it was reset when we left it: selection and PIN
        // are gone.
        const auto selected =
            uicc::reopen_application(*open_->card, open_->application, open_options());
        if (!selected) {
            note_pin(selected.error());
            return std::unexpected(selected.error());
        }
    }
    return job;
}

/// Before its PIN above all: a PIN is remembered by ICCID.
Result<void> CardWork::expect_same_card() {
    auto* card = MTKEY_TRY(open_->link->begin());
    const auto iccid = MTKEY_TRY(uicc::read_iccid(*card));
    if (iccid != open_->application.iccid) {
        close(CardState::State::NoCard);
        return open();
    }
    if (open_->card != nullptr) { // reading it has left the application
        return uicc::select_application(*card, open_->application.entry.aid);
    }
    return {};
}

void CardWork::end_job() {
    note_apdus();
    if (open_ && open_->link->hold() == Hold::Nothing) {
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
    out.tls_settings.lowest = config_.bsf.tls_min;
    out.tls_settings.certificate_file = config_.bsf.certificate;
    out.tls_settings.private_key_file = config_.bsf.key;
    out.local_address = config_.bsf.local_address;
    out.interface = config_.bsf.interface;
    out.retries = 3;
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
    how.card_is_shared = open_->link->hold() != Hold::Card;
    how.gba_context_missing = gba_context_missing();
    how.gbabp_size = open_->application.gbabp_size;
    how.policy = config_.gba.mode;
    how.allow_downgrade = config_.gba.allow_downgrade;
    how.allow_2g = config_.gba.allow_2g;
    how.require_rspauth = config_.bsf.require_rspauth;
    how.tmpi = config_.gba.tmpi;
    how.use_next_nonce = config_.bsf.use_nextnonce;

    const auto bsf = ports_.bsf(std::move(settings));
    const Interruption::Watched watched(interruption_, *bsf);
    InterruptibleCard interruptible(card, interruption_);
    auto context =
        gba::bootstrap(interruptible, *bsf, clock_, random_, how, run_events(), &open_->ub_memory);
    if (!context && context.error().code == Errc::PeerUntrusted) {
        context.error().code = Errc::BsfUntrusted; // TLS of Ub
    }
    return context;
}

gba::RunEvents CardWork::run_events() {
    gba::RunEvents out;
    out.before_bootstrapping_command = [this](gba::Mode mode) -> Result<void> {
        // From now on the card's former Ks may be gone: a run that failed before has harmed nobody.
        // The old B-TID must not be handed out again, not even while this run goes on.
        if (mode != gba::Mode::GbaU) {
            return {};
        }
        MTKEY_CHECK(past_.forget_anchor()); // or the card is left as it is
        if (contexts_.present() != nullptr) {
            contexts_.retire();
            if (changed_) {
                changed_();
            }
        }
        return {};
    };
    out.card_without_gba = [this] { note_gba_context_missing(); };
    out.retry_after = [this](std::chrono::seconds delay) { retry_after_ = delay; };
    return out;
}

Result<std::optional<gba::Context>> CardWork::attempt(bool force,
                                                      const std::function<void()>& begins) {
    wake_up_in_time();
    MTKEY_CHECK(interruption_.check());
    const auto present = contexts_.facts();
    const bool sure = !open_ || open_->link->tells_of_removal();
    if (!force && sure && present && keys::usable(*present, clock_)) {
        return std::nullopt;
    }
    auto job = std::optional(MTKEY_TRY(begin_job()));
    const auto back = contexts_.facts();
    if (!force && back && keys::usable(*back, clock_)) { // pcscd was away
        return std::nullopt;
    }
    const bool by_uicc = open_->application.gba && config_.gba.mode != gba::ModePolicy::MeOnly &&
                         !gba_context_missing();
    const auto mode = open_->application.is_sim() ? gba::Mode::Gba2g
                      : by_uicc                   ? gba::Mode::GbaU
                                                  : gba::Mode::GbaMe;
    if (contradicts_past_ && !contradiction_settled_) { // what shows it must not be written over
        return fail(Errc::NotReady, "an old copy of the key store is being set aside");
    }
    if (begins) {
        begins();
    }
    emit_step(Step::GbaRunStarted, {{"mode", gba::to_text(mode)}});
    auto context = run(job->card());
    job.reset();
    ++statistics_["gba_runs"];
    if (!context) {
        ++statistics_["gba_runs_failed"];
        return std::unexpected(context.error());
    }
    ++statistics_[counter_of(context->mode())];
    statistics_["http_exchanges"] += context->counts().http_exchanges;
    statistics_["bootstrapping_authenticates"] += context->counts().bootstrapping_authenticates;
    return *std::move(context);
}

Result<void> CardWork::bootstrap(bool force, const std::function<void()>& begins) {
    const auto asked_at = clock_.boot_now();
    retry_after_.reset();
    auto made = attempt(force, begins);
    // Whoever was told that the run is cancelled is told the truth, however far it has come.
    if (const auto decided = interruption_.disarm(); !decided) {
        made = std::unexpected(decided.error());
    }
    if (!made) {
        log_error("bootstrapping failed", made.error());
        if (made.error().code == Errc::Cancelled || asleep_until_) {
            last_error_ = made.error();
        } else {
            failed(made.error());
        }
        return std::unexpected(made.error());
    }
    if (!*made) {
        return {};
    }
    contexts_.retire(); // GBA_ME: the one before had its Ks here
    // All that follows counts from the clock of now, even if it was ahead before.
    past_.change([this](auto& past) { past.high_water = clock_.utc_now(); },
                 PastKeeper::Write::WithTheNext);
    adopt(**std::move(made), asked_at + keys::kLongestUse);
    const auto& context = *contexts_.present();
    last_error_.reset();
    log(LogLevel::Notice, "bootstrapped",
        {{"mode", gba::to_text(context.mode())},
         {"b_tid", masked_b_tid(context.b_tid())},
         {"expires", format_utc(context.expires())}});
    return {};
}

Result<NafKey> CardWork::naf_key(const kdf::NafId& naf_id, const std::string& b_tid) {
    wake_up_in_time();
    if (const auto lost = gone(); !lost) {
        if (!asleep_until_) {
            failed(lost.error());
        }
        return std::unexpected(lost.error());
    }
    if (contexts_.kept()) {
        return fail(Errc::NoReader, "the UICC is out of reach for a moment");
    }
    auto* context = contexts_.find(b_tid);
    if (context == nullptr || !contexts_.can_give(*context, naf_id)) {
        return fail(Errc::BtidStale, masked_b_tid(b_tid));
    }
    std::optional<Job> job;
    const bool cached = context->has_cached(naf_id);
    if (!cached || (open_ && !open_->link->tells_of_removal())) {
        auto begun = begin_job();
        if (!begun) {
            failed(begun.error());
            return std::unexpected(begun.error());
        }
        job.emplace(*std::move(begun));
        context = contexts_.find(b_tid);
        if (context == nullptr) { // it was another card
            return fail(Errc::BtidStale, masked_b_tid(b_tid));
        }
    }
    const auto ks_naf = context->ks_naf(job ? &job->card() : nullptr, naf_id);
    job.reset();
    if (!ks_naf) {
        if (ks_naf.error().code == Errc::NoKsOnCard || ks_naf.error().code == Errc::BtidStale) {
            contexts_.forget();
            static_cast<void>(past_.forget_anchor()); // somebody else has bootstrapped
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
    out.b_tid = context->b_tid();
    out.mode = context->mode();
    out.uicc = open_ ? open_->uicc : std::string();
    out.ks_expires = context->expires();
    out.ks_local_end = context->local_end();
    out.ks_deadline = context->deadline();
    return out;
}

Result<void> CardWork::discard(const std::string& b_tid) {
    if (const auto* present = contexts_.present(); !present || present->b_tid() != b_tid) {
        return fail(Errc::NotFound, "session of " + masked_b_tid(b_tid));
    }
    contexts_.forget();
    return {};
}

Result<void> CardWork::send_pin(SecretBytes pin) {
    wake_up_in_time();
    if (state_ != CardState::State::PinRequired || reader_.empty()) {
        return fail(Errc::Rejected, "the UICC wants no PIN");
    }
    const auto digits = pin.reveal();
    if (digits.size() < 4 || digits.size() > 8 ||
        !std::ranges::all_of(digits, [](auto c) { return c >= '0' && c <= '9'; })) {
        return fail(Errc::InvalidArgument, "a PIN is 4 to 8 digits");
    }
    pins_.give(std::move(pin));
    const auto opened = open();
    if (!opened) {
        failed(opened.error()); // wipes it
    } else if (open_->link->hold() != Hold::Nothing) {
        pins_.forget_given();
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
    out.context = contexts_.facts();
    if (out.context) {
        out.mode = contexts_.present()->mode();
        out.counts = contexts_.present()->counts();
    }
    out.contradicts_past = contradicts_past_;
    out.agreed_in_this_boot = agreed_in_this_boot_;
    out.former = contexts_.former();
    return out;
}

} // namespace mtkey::daemon
