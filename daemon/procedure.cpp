// SPDX-License-Identifier: Apache-2.0
#include "daemon/procedure.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "base/steps.hpp"
#include "kdf/kdf.hpp"
#include "kdf/local_mt.hpp"
#include "keys/procedures.hpp"
#include "local/messages.hpp"

#include <algorithm>

namespace mtkey::daemon {
namespace {

// What a device is told to wait before it asks again.
constexpr std::uint32_t kPendingRetry = 30;
constexpr std::uint32_t kSuspendedRetry = 30;

/// Until the nearer of both ends: the device may have no clock to compare the BSF's time with.
std::uint32_t seconds_left(const NafKey& key, const Clock& clock) {
    const auto by_boot =
        std::chrono::floor<std::chrono::seconds>(key.ks_deadline - clock.boot_now());
    const std::chrono::seconds by_utc = key.ks_local_end - clock.utc_now();
    return static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(std::min(by_boot, by_utc).count(), 0, 0xFFFFFFFF));
}

} // namespace

Procedure::Procedure(Mt& mt, local::MtSession& session, std::string transport, std::string peer,
                     std::function<void()> pump)
    : mt_(mt),
      session_(session),
      transport_(std::move(transport)),
      peer_(std::move(peer)),
      pump_(std::move(pump)) {}

void Procedure::handle(local::MtEvent event) {
    std::visit([this](const auto& one) { on(one); }, event);
}

void Procedure::refuse(const Error& error) {
    local::ErrorMessage message;
    message.code = local::error_code_from(error.code);
    message.retry_after = error.code == Errc::RetryAfter ? error.detail
                          : info(error.code).retry_helps ? kPendingRetry
                                                         : 0;
    message.text = std::string(info(error.code).sentence);
    session_.refuse(message, mt_.clock().boot_now(), message.code == local::ErrorCode::Protocol);
    log_warning("procedure failed" + (device_id_.empty() ? "" : " for " + device_id_), error);
    if (!device_id_.empty() && mt_.events().procedure_failed) {
        mt_.events().procedure_failed(device_id_, error);
    }
}

/// Draft 5.5.1: does the MT share a key that the device has stored?
void Procedure::on(const local::ResumeAsked& asked) {
    local::ResumeAnswer answer;
    const store::KeyRecord* found = nullptr;
    for (const auto* record : mt_.store().all()) {
        // Where no rule allows it, it is as unknown as it will be told with its next request.
        if (!may_be(record->device_id) ||
            !approved(mt_.config().devices, record->device_id, transport_, peer_)) {
            continue;
        }
        const auto tag = kdf::resume_tag(record->key_id, asked.th_conn);
        for (std::size_t i = 0; i < asked.resume.tags.size(); ++i) {
            if (equal_constant_time(tag, asked.resume.tags[i])) {
                answer.index = static_cast<std::uint8_t>(i);
                found = record;
                break;
            }
        }
        if (found != nullptr) {
            break;
        }
    }
    if (found == nullptr) {
        // Unknown: nothing to authenticate it with
        session_.answer_resume(answer, mt_.clock().boot_now());
        return;
    }
    const auto keys = kdf::establishment_keys(found->ks_local_mt, found->th_est);
    using Status = local::ResumeAnswer::Status;
    const auto& card = mt_.card().state();
    if (found->ended(mt_.clock()) || found->state == store::KeyState::Revoked) {
        answer.status = Status::Delete;
    } else if (card.state != CardState::State::Ready || card.uicc != found->uicc ||
               !found->usable(mt_.clock())) { // by UTC alone, which may be set right again
        answer.status = Status::Wait;
        answer.retry_after = kSuspendedRetry;
    } else {
        answer.status = Status::Known;
    }
    answer.mac = kdf::resume_answer_mac(keys.confirm_mt, found->th_est, asked.th_conn,
                                        local::encode_resume_answer_body(answer));
    session_.answer_resume(answer, mt_.clock().boot_now());
    const std::string device_id = found->device_id;
    if (answer.status == Status::Known) {
        device_id_ = device_id;
        known_ = proven_ = true;
        mt_.used(device_id_);
        mt_.count("keys_resumed");
        log(LogLevel::Notice, "stored key recognised", {{"device", device_id_}});
    } else if (answer.status == Status::Delete) {
        static_cast<void>(mt_.forget(device_id));
    }
}

void Procedure::refuse_outdated(const std::string& new_b_tid) {
    local::ErrorMessage message;
    message.code = local::ErrorCode::BtidChanged;
    message.b_tid = new_b_tid;
    message.text = std::string(info(Errc::BtidChanged).sentence);
    session_.refuse(message, mt_.clock().boot_now());
}

/// L1: draft 5.5.2 steps 3 and 4, 5.5.3 steps 3 and 4.
void Procedure::on(const local::KeyInfoAsked& asked) {
    const auto device_id = kdf::canonical_device_id(asked.request.device_id);
    if (!device_id) {
        refuse(device_id.error());
        return;
    }
    if (!may_be(*device_id)) {
        refuse(Error{Errc::ProtocolViolation, 0, "another Device_ID in the same connection"});
        return;
    }
    device_id_ = *device_id;
    // DRAFT-GAP(approval): nothing is told to a device, and nothing done for it, before it is
    // allowed.
    const bool allowed = mt_.meet(device_id_, transport_, peer_);
    presence_ = mt_.presence(device_id_);
    if (!allowed) {
        mt_.count("devices_refused");
        refuse(Error{Errc::DeviceNotApproved, 0, device_id_ + " at " + transport_});
        return;
    }
    known_ = true;
    if (mt_.nafs().entries().empty()) {
        refuse(Error{Errc::NafNotAllowed, 0, "no [[naf]] is configured"});
        return;
    }
    local::KeyInfo answer;
    answer.b_tid = keys::b_tid_for_key_info(mt_.context(), mt_.clock(), mt_.tombstoned(device_id_));
    for (const auto& naf : mt_.nafs().entries()) {
        answer.nafs.push_back(local::NafEntry{naf.naf_id, naf.key_center_uri});
    }
    given_b_tid_ = answer.b_tid.value_or(std::string());
    emit_step(Step::BtidChecked, {{"device", device_id_}});
    emit_step(answer.b_tid ? Step::KeyInfoWithBtid : Step::KeyInfoWithoutBtid,
              {{"device", device_id_}});
    session_.answer_key_info(answer, mt_.clock().boot_now());
}

/// L3: draft 5.5.2 step 6, 5.5.3 step 6.
void Procedure::on(const local::EstablishmentAsked& asked) {
    const auto& request = asked.request;
    if (in_flight(request)) {
        full_ = false;
        derive(request.naf_id, *request.b_tid);
        return;
    }
    const auto decision = keys::decide(keys::Request{request.naf_id, request.b_tid}, mt_.context(),
                                       mt_.nafs(), mt_.clock(), mt_.tombstoned(device_id_));
    if (std::holds_alternative<keys::NafUnknown>(decision)) {
        refuse(Error{Errc::NafNotAllowed, 0, request.naf_id.text()});
    } else if (const auto* changed = std::get_if<keys::BtidChanged>(&decision)) {
        refuse_outdated(changed->b_tid);
    } else if (std::holds_alternative<keys::BtidGone>(decision)) {
        refuse(Error{Errc::BtidStale, 0, masked_b_tid(*request.b_tid)});
    } else if (std::holds_alternative<keys::DeriveFromContext>(decision)) {
        full_ = false;
        derive(request.naf_id, *request.b_tid);
    } else {
        full_ = true;
        bootstrap(request);
    }
}

/// A run has taken the place of the context that L2 has told of: the device goes on with that one,
/// if what it needs of it is still there, or learns of the new one (threats L4).
// DRAFT-GAP(in-flight): what becomes of procedures under way when somebody forces a bootstrapping.
bool Procedure::in_flight(const local::EstablishmentRequest& request) const {
    const auto& former = mt_.card().state().former;
    return former && request.b_tid == former->b_tid && given_b_tid_ == former->b_tid &&
           mt_.clock().boot_now() < former->until &&
           mt_.card().state().state == CardState::State::Ready &&
           mt_.nafs().contains(request.naf_id) && !mt_.tombstoned(device_id_, former->b_tid);
}

void Procedure::bootstrap(const local::EstablishmentRequest& request) {
    // A context may be there although the device does not want it: unknown to the network, or
    // tombstoned. What is unknown is what the device was told; there may be a newer one by now.
    const auto present = mt_.context();
    const bool unknown = request.reason == local::Reason::BtidUnknownToNetwork && present &&
                         present->b_tid == given_b_tid_;
    const RunRequest wanted{.force = unknown || mt_.tombstoned(device_id_), .asked_by = device_id_};
    mt_.card().bootstrap(wanted, [this, alive = std::weak_ptr(alive_),
                                  naf_id = request.naf_id](const Result<void>& done) {
        if (alive.expired()) {
            return;
        }
        const auto context = mt_.context();
        if (!done) {
            refuse(done.error());
            pump_();
        } else if (!context) {
            refuse(Error{Errc::NoCard, 0, "the UICC left after the bootstrapping"});
            pump_();
        } else {
            derive(naf_id, context->b_tid);
        }
    });
}

void Procedure::derive(const kdf::NafId& naf_id, const std::string& b_tid) {
    mt_.card().naf_key(
        naf_id, b_tid,
        [this, alive = std::weak_ptr(alive_), naf_id, b_tid](const Result<NafKey>& key) {
            if (!alive.expired()) {
                finish(naf_id, b_tid, key);
                pump_();
            }
        });
}

void Procedure::finish(const kdf::NafId& naf_id, const std::string& b_tid,
                       const Result<NafKey>& key) {
    const auto context = mt_.context();
    if (!key && key.error().code == Errc::BtidStale && context && context->b_tid != b_tid) {
        // A run of somebody else's has come in between.
        refuse_outdated(context->b_tid);
        return;
    }
    if (!key) {
        refuse(key.error());
        return;
    }
    if (full_) {
        emit_step(Step::UiccKeysReceived,
                  {{"device", device_id_}, {"mode", gba::to_text(key->mode)}});
    }
    answer(naf_id, *key);
}

/// Draft 5.5.2 steps 9 and 10, 5.5.3 steps 7 and 8.
void Procedure::answer(const kdf::NafId& naf_id, const NafKey& key) {
    if (mt_.tombstoned(device_id_, key.b_tid)) {
        // Revoked or forgotten while the UICC was at work.
        refuse(Error{Errc::BtidStale, 0, device_id_ + " was forgotten meanwhile"});
        return;
    }
    const auto& profile = kdf::draft_1();
    auto ks_local_mt = kdf::ks_local_mt(profile, key.ks_naf, key.b_tid, naf_id, device_id_);
    keys::Pending pending;
    if (!ks_local_mt) {
        refuse(ks_local_mt.error());
        return;
    }
    if (const auto filled = mt_.random().fill(pending.est_id); !filled) {
        refuse(filled.error());
        return;
    }
    emit_step(
        Step::MtKeyDerived,
        {{"device", device_id_}, {"fingerprint", to_hex(kdf::fingerprint(ks_local_mt->reveal()))}});
    pending.device_id = device_id_;
    pending.transport = transport_;
    pending.peer = peer_;
    pending.naf_id = naf_id;
    pending.b_tid = key.b_tid;
    pending.mode = gba::to_text(key.mode);
    pending.profile = profile.name;
    pending.uicc = key.uicc;
    pending.ks_local_mt = *std::move(ks_local_mt);
    pending.full = full_;
    pending.created = mt_.clock().utc_now();
    pending.created_boot = mt_.clock().boot_now();
    pending.ks_expires = key.ks_expires;
    pending.ks_local_end = key.ks_local_end;
    pending.ks_deadline = key.ks_deadline;
    pending.ends = std::min(mt_.clock().boot_now() + keys::PendingTable::kLongest, key.ks_deadline);

    local::EstablishmentAnswer answer;
    answer.est_id = pending.est_id;
    answer.b_tid = key.b_tid;
    answer.naf_id = naf_id;
    answer.profile = profile.name;
    answer.mode = pending.mode;
    answer.ks_expires = key.ks_expires;
    answer.seconds_left = seconds_left(key, mt_.clock());
    given_b_tid_ = key.b_tid;
    pending.th_est = session_.answer_establishment(answer, mt_.clock().boot_now());
    made_ = pending.est_id;
    mt_.pending().put(std::move(pending));
    mt_.count(full_ ? "establishments_full" : "establishments_optimised");
    mt_.changed(device_id_);
    emit_step(Step::EstablishmentAnswered, {{"device", device_id_}});
}

/// The device got no key from the Key Center: neither does the MT keep one.
void Procedure::given_up(Error reason) {
    reason.context = "the device says: " + reason.context;
    mt_.pending().erase(*made_);
    mt_.changed(device_id_);
    log_warning("procedure failed for " + device_id_, reason);
    if (mt_.events().procedure_failed) {
        mt_.events().procedure_failed(device_id_, reason);
    }
}

void Procedure::on(const local::PeerGone& gone) {
    if (gone.gave_up && made_) {
        given_up(gone.reason);
        return;
    }
    const bool quiet = gone.reason.code == Errc::LinkLost;
    log(quiet ? LogLevel::Info : LogLevel::Warning, "device gone",
        {{"transport", transport_}, {"device", device_id_}, {"reason", describe(gone.reason)}});
}

} // namespace mtkey::daemon
