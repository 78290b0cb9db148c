// SPDX-License-Identifier: Apache-2.0
// The end of both procedures: the device proves that it has the key, and the key is stored.
#include "daemon/procedure.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "kdf/local_mt.hpp"
#include "keys/procedures.hpp"
#include "local/messages.hpp"

#include <algorithm>

namespace mtkey::daemon {

/// Draft 5.5.2 step 18, 5.5.3 step 16, with the proof that the draft lacks
/// (DRAFT-GAP(confirmation)).
void Procedure::on(const local::ConfirmAsked& asked) {
    auto* pending = mt_.pending().find(asked.confirm.est_id, mt_.clock().boot_now());
    if (pending != nullptr && may_be(pending->device_id)) {
        confirm_pending(asked, *pending);
        return;
    }
    // The ACK may have been lost: the same establishment again gets the same answer.
    for (const auto* record : mt_.store().all()) {
        if (record->est_id != asked.confirm.est_id || !may_be(record->device_id) ||
            !record->usable(mt_.clock())) {
            continue;
        }
        const auto keys = kdf::establishment_keys(record->ks_local_mt, record->th_est);
        const auto mac =
            kdf::confirm_mac(keys.confirm_device, record->th_est, asked.th_conn, asked.body);
        if (equal_constant_time(mac, asked.mac)) {
            device_id_ = record->device_id;
            known_ = proven_ = true;
            acknowledge(asked, keys, record->th_est, record->expires);
            return;
        }
    }
    refuse(Error{Errc::ConfirmationFailed, 0, "CONFIRM for an unknown establishment"});
}

void Procedure::confirm_pending(const local::ConfirmAsked& asked, keys::Pending& pending) {
    const auto keys = kdf::establishment_keys(pending.ks_local_mt, pending.th_est);
    const auto mac =
        kdf::confirm_mac(keys.confirm_device, pending.th_est, asked.th_conn, asked.body);
    const auto& confirm = asked.confirm;
    if (!equal_constant_time(mac, asked.mac) || confirm.b_tid != pending.b_tid ||
        confirm.naf_id != pending.naf_id || confirm.profile != pending.profile) {
        const std::string device_id = pending.device_id;
        if (++pending.wrong_confirmations >= keys::PendingTable::kWrongConfirmations) {
            mt_.pending().erase(pending.est_id);
        }
        refuse(Error{Errc::ConfirmationFailed, 0, "for " + device_id});
        mt_.changed(device_id);
        return;
    }
    // Whoever makes this MAC has the key: only now is the connection this device's.
    device_id_ = pending.device_id;
    const auto now = mt_.clock().utc_now();
    // The network's time is not ours: agreed in the one, counted in the other. And ours may have
    // been set since this key was made: what is left of it is counted by the clock that nobody
    // sets.
    const auto ahead = pending.ks_expires - pending.ks_local_end;
    const auto expires =
        keys::agreed_expiry(pending.ks_expires, confirm.expires, pending.created + ahead);
    const auto deadline =
        std::min(pending.created_boot + (expires - ahead - pending.created), pending.ks_deadline);
    const auto left = std::chrono::floor<std::chrono::seconds>(deadline - mt_.clock().boot_now());
    if (left <= std::chrono::seconds(0)) {
        mt_.pending().erase(pending.est_id);
        refuse(Error{Errc::KeyExpired, 0, device_id_});
        mt_.changed(device_id_);
        return;
    }
    store::KeyRecord record;
    record.device_id = pending.device_id;
    record.transport = pending.transport;
    record.peer = pending.peer;
    record.naf_fqdn = pending.naf_id.fqdn;
    record.naf_ua.assign(pending.naf_id.ua.begin(), pending.naf_id.ua.end());
    record.b_tid = pending.b_tid;
    record.mode = pending.mode;
    record.profile = pending.profile;
    record.uicc = pending.uicc;
    record.ks_local_mt = pending.ks_local_mt.clone();
    record.th_est = pending.th_est;
    record.est_id = pending.est_id;
    record.created = pending.created;
    record.confirmed = now;
    record.key_id = keys.key_id.clone();
    record.expires = expires;
    record.local_end = now + left;
    record.deadline = deadline;
    record.last_used = now;
    const Established established{.device_id = pending.device_id,
                                  .procedure = pending.full ? "full" : "optimised",
                                  .mode = pending.mode,
                                  .naf = pending.naf_id.fqdn,
                                  .expires = expires};
    const auto th_est = pending.th_est;
    // Stored first, answered then: what the peer was told is never lost.
    if (const auto stored = mt_.store().put(std::move(record)); !stored) {
        refuse(stored.error());
        return;
    }
    mt_.pending().erase(asked.confirm.est_id);
    made_.reset();
    known_ = proven_ = true;
    mt_.count("keys_confirmed");
    acknowledge(asked, keys, th_est, expires);
    log(LogLevel::Notice, "key established",
        {{"device", device_id_},
         {"procedure", established.procedure},
         {"mode", established.mode},
         {"naf", established.naf},
         {"expires", format_utc(expires)}});
    mt_.changed(device_id_);
    if (mt_.events().established) {
        mt_.events().established(established);
    }
}

void Procedure::acknowledge(const local::ConfirmAsked& asked, const kdf::EstablishmentKeys& keys,
                            const kdf::TranscriptHash& th_est, UtcTime expires) {
    local::ConfirmAck ack;
    ack.status = local::ConfirmAck::Status::Stored;
    ack.expires = expires;
    const auto mac = kdf::confirm_ack_mac(keys.confirm_mt, th_est, asked.th_conn, asked.mac,
                                          local::encode_confirm_ack_body(ack));
    session_.answer_confirm(ack, mac, mt_.clock().boot_now());
}

} // namespace mtkey::daemon
