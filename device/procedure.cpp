// SPDX-License-Identifier: Apache-2.0
#include "device/procedure.hpp"

#include "base/log.hpp"
#include "device/naf_choice.hpp"
#include "device/procedure_parts.hpp"

#include <algorithm>

namespace mtkey::device {
namespace {

constexpr int kMostConnections = 3;
/// The MT keeps an unconfirmed establishment no longer (docs/local-interface.md section 8.3).
constexpr std::chrono::hours kPendingOffered{1};

} // namespace

std::string_view procedure_name(Outcome::Kind kind) {
    switch (kind) {
    case Outcome::Kind::Full:
        return "full";
    case Outcome::Kind::Optimised:
        return "optimised";
    default:
        return "resume";
    }
}

std::string describe(const Error& error, const RunReport& report) {
    return report.refused_by_mt ? error.context : describe(error);
}

DeviceProcedure::DeviceProcedure(ProcedureSettings settings, Surroundings surroundings)
    : settings_(std::move(settings)), out_(std::move(surroundings)) {}

void DeviceProcedure::step(Step step, std::string_view name, std::string_view value) {
    if (name.empty()) {
        emit_step(step);
    } else {
        emit_step(step, {{name, value}});
    }
    if (out_.on_step) {
        out_.on_step(step, value);
    }
}

Error DeviceProcedure::refusal(const local::ErrorMessage& message) {
    report_.retry_after = message.retry_after;
    std::string context = "the MT says: " + (message.text.empty() ? "no" : printable(message.text));
    if (message.retry_after > 0) {
        context += " (again after " + std::to_string(message.retry_after) + " s)";
    }
    mt_words_ = message.text.empty() ? std::string() : context;
    return {local::errc_from(message.code), 0, std::move(context)};
}

Result<Outcome> DeviceProcedure::run() {
    report_ = {};
    mt_words_.clear();
    made_.reset();
    key_info_asked_again_ = false;
    new_b_tid_taken_ = false;
    b_tid_given_up_ = false;
    b_tid_unknown_to_network_ = false;
    if (const auto removed = out_.keys.remove_ended(); !removed) { // they are not used anyway
        log_warning("keys that have ended are still there", removed.error());
    }
    for (int connection = 1;; ++connection) {
        auto outcome = run_once();
        if (outcome || outcome.error().code != Errc::LinkLost || connection == kMostConnections) {
            report_.refused_by_mt =
                !outcome && !mt_words_.empty() && outcome.error().context == mt_words_;
            return outcome;
        }
        log_warning("link lost, connecting again", outcome.error());
    }
}

Result<Outcome> DeviceProcedure::run_once() {
    std::optional<Phase> phase(std::in_place, *this, "connect");
    auto connection = MTKEY_TRY(out_.open_link(out_.limits));
    Connected mt(std::move(connection), settings_.timers, out_);
    const auto hello = MTKEY_TRY(mt.expect<local::Connected>());
    mt.th_conn = hello.th_conn;

    phase.emplace(*this, "resume");
    if (!settings_.renew) {
        if (auto resumed = MTKEY_TRY(try_stored_keys(mt))) {
            return *resumed;
        }
    }
    if (auto settled = MTKEY_TRY(settle_pending(mt))) {
        return *settled;
    }
    phase.reset();
    return establish(mt);
}

// Draft 5.5.1.
Result<std::optional<Outcome>> DeviceProcedure::try_stored_keys(Connected& mt) {
    std::vector<std::string> mt_ids;
    for (const auto* key : out_.keys.all()) {
        if (key->usable(out_.limits.clock)) {
            mt_ids.push_back(mt_id_of(*key));
        }
    }
    if (mt_ids.empty()) {
        return std::nullopt;
    }
    step(Step::StoredKeyTried);
    for (std::span<const std::string> rest(mt_ids); !rest.empty();) {
        const auto some = rest.first(std::min(rest.size(), local::kMostTags));
        rest = rest.subspan(some.size());
        if (auto resumed = MTKEY_TRY(resume(mt, some))) {
            return resumed;
        }
    }
    step(Step::StoredKeyRefused);
    return std::nullopt;
}

Result<std::optional<Outcome>> DeviceProcedure::resume(Connected& mt,
                                                       std::span<const std::string> mt_ids) {
    std::vector<kdf::EstablishmentKeys> derived;
    local::Resume resume;
    for (const auto& mt_id : mt_ids) {
        derived.push_back(establishment_keys_of(*out_.keys.find_active(mt_id)));
        resume.tags.push_back(kdf::resume_tag(derived.back().key_id, mt.th_conn));
    }
    mt.link.session().resume(resume);
    auto event = MTKEY_TRY(mt.link.next_event());
    if (const auto* refused = std::get_if<local::PeerRefused>(&event)) {
        return std::unexpected(refusal(refused->error));
    }
    const auto* answered = std::get_if<local::ResumeAnswered>(&event);
    if (answered == nullptr) {
        return fail(Errc::ProtocolViolation, "the MT's answer to RESUME is something else");
    }
    using Status = local::ResumeAnswer::Status;
    const auto& answer = answered->answer;
    if (answer.status == Status::Unknown) {
        // Not authenticated: anybody on the link can say so. The key stays until a new one is
        // confirmed.
        return std::nullopt;
    }
    if (answer.index >= mt_ids.size() || !answer.mac) {
        return fail(Errc::ProtocolViolation, "the MT's answer to RESUME names no key");
    }
    const std::string& mt_id = mt_ids[answer.index];
    const StoredKey& key = *out_.keys.find_active(mt_id);
    const auto expected = kdf::resume_answer_mac(derived[answer.index].confirm_mt, key.th_est,
                                                 mt.th_conn, answered->body);
    if (!equal_constant_time(expected, *answer.mac)) {
        // Whoever said this does not hold the key: worth no more than Unknown.
        return std::nullopt;
    }
    if (answer.status == Status::Delete) {
        MTKEY_CHECK(out_.keys.remove_active(mt_id));
        return std::nullopt;
    }
    if (answer.status == Status::Wait) {
        report_.retry_after = answer.retry_after;
        return fail(Errc::RetryAfter,
                    "the MT cannot use the key now (its UICC is away?); again after " +
                        std::to_string(answer.retry_after) + " s");
    }
    step(Step::StoredKeyAccepted, "fingerprint", fingerprint_of(key));
    return Outcome{Outcome::Kind::Resumed, mt_id};
}

// CONFIRM may come over another connection: the link was lost between the storing of a key and the
// MT's acknowledgement, in this run or in an earlier one. The same CONFIRM gets the same answer.
// Whoever refuses here is not authenticated and may be another MT: the key stays, until a new one
// of its own MT takes its place or it ends.
Result<std::optional<Outcome>> DeviceProcedure::settle_pending(Connected& mt) {
    const auto of_this_run = [this](const StoredKey& key) {
        return made_ && key.est_id == made_->est_id;
    };
    const Clock& clock = out_.limits.clock;
    for (const auto* key : out_.keys.all()) {
        const bool earlier = !settings_.renew && key->lasts(clock) &&
                             clock.utc_now() - key->created < kPendingOffered;
        if (!key->pending() || (!of_this_run(*key) && !earlier)) {
            continue;
        }
        const Outcome outcome{of_this_run(*key) ? made_->kind : Outcome::Kind::Resumed,
                              mt_id_of(*key)};
        const auto confirmed = confirm(mt, outcome.mt_id); // the list is stale when it succeeds
        if (confirmed) {
            return outcome;
        }
        if (confirmed.error().code != Errc::ConfirmationFailed) {
            return std::unexpected(confirmed.error());
        }
        report_.retry_after = 0;
    }
    return std::nullopt;
}

// Draft 5.5.2 and 5.5.3: one road with two forks.
Result<Outcome> DeviceProcedure::establish(Connected& mt) {
    step(Step::NoValidKey);
    std::optional<Phase> phase(std::in_place, *this, "key_info");
    Selection selection = MTKEY_TRY(select(mt));
    while (true) {
        phase.emplace(*this, "establishment");
        auto received = MTKEY_TRY(request_establishment(mt, selection));
        const BootTime received_at = out_.limits.clock.boot_now();
        MTKEY_CHECK(check(received.answer, selection));
        phase.emplace(*this, "key_center");
        auto answer = ask_key_center(mt, selection, received.answer);
        if (!answer && answer.error().code == Errc::BtidUnknown && selection.b_tid &&
            !b_tid_given_up_) {
            // The MT's B-TID is older than the network remembers: the full procedure, once.
            b_tid_given_up_ = true;
            b_tid_unknown_to_network_ = true;
            selection.b_tid.reset();
            selection.reason = local::Reason::BtidUnknownToNetwork;
            continue;
        }
        if (!answer) {
            return std::unexpected(give_up(mt, selection, std::move(answer).error()));
        }
        phase.emplace(*this, "confirmation");
        const auto kind = selection.b_tid ? Outcome::Kind::Optimised : Outcome::Kind::Full;
        const std::string mt_id = answer->mt_id;
        if (auto kept = store_pending(received, received_at, std::move(*answer)); !kept) {
            return std::unexpected(give_up(mt, selection, std::move(kept).error()));
        }
        made_ = Made{received.answer.est_id, kind};
        if (const auto confirmed = confirm(mt, mt_id); !confirmed) {
            // The MT that gave L4 refuses what follows from it: such a key is of no use.
            if (confirmed.error().code == Errc::ConfirmationFailed) {
                MTKEY_CHECK(out_.keys.remove_pending(mt_id));
            }
            return std::unexpected(confirmed.error());
        }
        return Outcome{kind, mt_id};
    }
}

/// The MT waits for our CONFIRM: it keeps no key either, and whoever looks there learns why.
Error DeviceProcedure::give_up(Connected& mt, const Selection& selection, Error error) {
    mt.link.session().give_up("NAF Key Center " + selection.target.fqdn + ": " +
                              std::string(info(error.code).sentence));
    static_cast<void>(mt.link.flush());
    return error;
}

Result<DeviceProcedure::Selection> DeviceProcedure::select(Connected& mt) {
    step(Step::KeyInfoRequested);
    local::KeyInfoRequest request;
    request.device_id = settings_.device_id;
    mt.link.session().request_key_info(request);
    auto event = MTKEY_TRY(mt.link.next_event());
    if (const auto* refused = std::get_if<local::PeerRefused>(&event)) {
        return std::unexpected(refusal(refused->error));
    }
    auto* received = std::get_if<local::KeyInfoReceived>(&event);
    if (received == nullptr) {
        return fail(Errc::ProtocolViolation, "the MT's answer to L1 is something else");
    }
    Selection selection;
    selection.entry = *MTKEY_TRY(
        choose_naf(received->info.nafs, settings_.preferred_naf, settings_.allowed_suffixes));
    selection.target = MTKEY_TRY(key_center_target(selection.entry));
    if (!b_tid_given_up_) {
        selection.b_tid = received->info.b_tid;
    }
    selection.reason = b_tid_unknown_to_network_ ? local::Reason::BtidUnknownToNetwork
                       : settings_.renew         ? local::Reason::Renewal
                                                 : local::Reason::NoKey;
    // The full procedure has "gets a list" as its step 5, the optimised one "selects": each its own
    // words.
    step(received->info.b_tid ? Step::NafSelected : Step::NafListReceived, "naf",
         selection.entry.naf_id.text());
    return selection;
}

Result<local::EstablishmentReceived> DeviceProcedure::request_establishment(Connected& mt,
                                                                            Selection& selection) {
    while (true) {
        local::EstablishmentRequest request;
        request.naf_id = selection.entry.naf_id;
        request.device_id = settings_.device_id;
        request.b_tid = selection.b_tid;
        request.reason = selection.reason;
        step(Step::EstablishmentRequested, "naf", selection.entry.naf_id.text());
        mt.link.session().request_establishment(request);
        auto event = MTKEY_TRY(mt.link.next_event());
        if (auto* received = std::get_if<local::EstablishmentReceived>(&event)) {
            return std::move(*received);
        }
        const auto* refused = std::get_if<local::PeerRefused>(&event);
        if (refused == nullptr) {
            return fail(Errc::ProtocolViolation, "the MT's answer to L3 is something else");
        }
        const auto& error = refused->error;
        if (error.code == local::ErrorCode::BtidChanged && error.b_tid && selection.b_tid &&
            !new_b_tid_taken_) {
            new_b_tid_taken_ = true;
            selection.b_tid = error.b_tid;
        } else if (error.code == local::ErrorCode::BtidStale && selection.b_tid &&
                   !b_tid_given_up_) {
            b_tid_given_up_ = true;
            selection.b_tid.reset();
        } else if ((error.code == local::ErrorCode::NafUnknown ||
                    (error.code == local::ErrorCode::BtidChanged && !error.b_tid)) &&
                   !key_info_asked_again_) {
            key_info_asked_again_ = true; // L2 is out of date
            selection = MTKEY_TRY(select(mt));
        } else {
            return std::unexpected(refusal(error));
        }
    }
}

Result<void> DeviceProcedure::check(const local::EstablishmentAnswer& answer,
                                    const Selection& selection) const {
    if (answer.naf_id != selection.entry.naf_id) {
        return fail(Errc::ProtocolViolation, "the MT answers for another NAF_ID");
    }
    if (selection.b_tid && answer.b_tid != *selection.b_tid) {
        return fail(Errc::ProtocolViolation, "the MT answers with another B-TID");
    }
    if (answer.profile != settings_.kdf_profile) {
        return fail(Errc::ProfileMismatch, "the MT uses KDF profile '" +
                                               printable(answer.profile, 40) + "', this device '" +
                                               settings_.kdf_profile + "'");
    }
    if (!printable_name(answer.b_tid) || !printable_name(answer.mode)) {
        return fail(Errc::ProtocolViolation, "names in the MT's answer are not printable");
    }
    return {};
}

/// DRAFT-GAP(mt-id): every Key Center may say any mt-id. It belongs to the operator whose Key
/// Center gave it first: another one could else put a key that it knows in the place of a good one.
Result<void> DeviceProcedure::check_owner(const std::string& mt_id,
                                          const std::string& naf_fqdn) const {
    constexpr std::size_t kMostOfAName = 80; // the message must not lose its end, the remedy
    for (const auto* key : {out_.keys.find_active(mt_id), out_.keys.find_pending(mt_id)}) {
        if (key != nullptr && !same_operator(key->naf_fqdn, naf_fqdn, settings_.allowed_suffixes)) {
            return fail(Errc::Rejected,
                        "mt-id '" + printable(mt_id, kMostOfAName) + "' came with a key of '" +
                            printable(key->naf_fqdn, kMostOfAName) + "', and '" +
                            printable(naf_fqdn, kMostOfAName) +
                            "' is not under the same allowed suffix; to give it up, "
                            "mtkey-device forget --mt");
        }
    }
    return {};
}

Result<void> DeviceProcedure::store_pending(const local::EstablishmentReceived& received,
                                            BootTime received_at, keycenter::KeyAnswer answer) {
    if (answer.profile != received.answer.profile) {
        return fail(Errc::ProfileMismatch, "MT: " + received.answer.profile +
                                               ", Key Center: " + printable(answer.profile, 40));
    }
    const auto& l4 = received.answer;
    MTKEY_CHECK(check_owner(answer.mt_id, l4.naf_id.fqdn));
    const auto now = out_.limits.clock.utc_now();
    const auto boot_now = out_.limits.clock.boot_now();
    // DRAFT-GAP(two-clocks): the MT says how long Ks lasts, for a clock here that is behind. Its
    // word shortens what the Key Center's end says by the clock here, and never makes it longer.
    const auto deadline = std::min(received_at + std::chrono::seconds(l4.seconds_left) +
                                       (answer.expires - l4.ks_expires),
                                   boot_now + (answer.expires - now));
    const auto left = std::chrono::floor<std::chrono::seconds>(deadline - boot_now);
    if (left <= std::chrono::seconds(0)) {
        return fail(Errc::KeyExpired, "the Key Center's key ended at " +
                                          format_utc(answer.expires) +
                                          "; is this device's clock right?");
    }
    StoredKey key;
    key.device_id = std::move(answer.mt_id);
    key.naf_fqdn = l4.naf_id.fqdn;
    key.naf_ua.assign(l4.naf_id.ua.begin(), l4.naf_id.ua.end());
    key.b_tid = l4.b_tid;
    key.profile = l4.profile;
    key.mode = l4.mode;
    key.ks_local_mt = std::move(answer.ks_local_mt);
    key.th_est = received.th_est;
    key.est_id = l4.est_id;
    key.created = key.confirmed = key.last_used = now;
    key.expires = answer.expires;
    key.local_end = now + left;
    key.deadline = deadline;
    const std::string fingerprint = fingerprint_of(key);
    MTKEY_CHECK(out_.keys.add_pending(std::move(key)));
    step(Step::DeviceKeyStored, "fingerprint", fingerprint);
    return {};
}

Result<void> DeviceProcedure::confirm(Connected& mt, const std::string& mt_id) {
    const StoredKey& key = *out_.keys.find_pending(mt_id);
    local::Confirm confirm;
    confirm.est_id = key.est_id;
    confirm.b_tid = key.b_tid;
    confirm.naf_id = naf_id_of(key);
    confirm.profile = key.profile;
    confirm.expires = key.expires;
    const Bytes body = local::encode_confirm_body(confirm);
    const auto keys = establishment_keys_of(key);
    const auto mac = kdf::confirm_mac(keys.confirm_device, key.th_est, mt.th_conn, body);
    mt.link.session().confirm(confirm, mac);
    MTKEY_CHECK(mt.link.flush());
    if (!mt.link.session().finished()) {
        step(Step::Completed);
    }

    auto event = MTKEY_TRY(mt.link.next_event()); // link lost: the key stays pending
    std::string problem;
    if (const auto* ack = std::get_if<local::ConfirmAcknowledged>(&event)) {
        const auto expected =
            kdf::confirm_ack_mac(keys.confirm_mt, key.th_est, mt.th_conn, mac, ack->body);
        if (equal_constant_time(expected, ack->mac) &&
            ack->ack.status == local::ConfirmAck::Status::Stored) {
            return out_.keys.confirm(mt_id, std::min(ack->ack.expires, confirm.expires));
        }
        problem = ack->ack.status == local::ConfirmAck::Status::Stored
                      ? "the MT's acknowledgement has a wrong MAC"
                      : "the MT refused the confirmation";
    } else if (const auto* refused = std::get_if<local::PeerRefused>(&event)) {
        const Error error = refusal(refused->error);
        if (refused->error.code != local::ErrorCode::Confirmation) {
            return std::unexpected(error); // the MT's trouble, not the key's: it stays pending
        }
        problem = error.context;
        mt_words_.clear(); // ours say more: what has become of the key
    } else {
        return fail(Errc::ProtocolViolation, "the MT's answer to CONFIRM is something else");
    }
    return fail(Errc::ConfirmationFailed, problem);
}

} // namespace mtkey::device
