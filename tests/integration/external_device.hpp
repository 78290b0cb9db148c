// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kdf/establishment.hpp"
#include "keycenter/documents.hpp"
#include "local/device_session.hpp"
#include "mobile_terminal.hpp"

#include <functional>
#include <optional>

namespace mtkey::integration {

/// Asks the Key Center over its mutually authenticated tunnel: draft 5.5.2 steps 11 to 16.
using AskKeyCenter = std::function<Result<keycenter::KeyAnswer>(const keycenter::KeyRequest&)>;

/// The external device: the whole of draft 5.5.2 or 5.5.3 over a link that is memory.
class ExternalDevice {
public:
    ExternalDevice(std::string device_id, RandomSource& random, const Clock& clock)
        : device_id_(std::move(device_id)), clock_(clock), session_({}, random, clock.boot_now()) {}

    /// Ends when nobody has anything to say any more; then `agreed` or `error` says how.
    void establish(MtPeer& mt, const AskKeyCenter& key_center) {
        for (bool moved = true; moved;) {
            const auto up = session_.take_output();
            mt.session().receive(up, clock_.boot_now());
            mt.work();
            const auto down = mt.session().take_output();
            session_.receive(down, clock_.boot_now());
            moved = !up.empty() || !down.empty();
            while (auto event = session_.next_event()) {
                const auto done =
                    std::visit([&](const auto& what) { return on(what, key_center); }, *event);
                if (!done) {
                    error = done.error();
                    return;
                }
            }
            wire.insert(wire.end(), up.begin(), up.end());
            wire.insert(wire.end(), down.begin(), down.end());
        }
    }

    // What the test looks at.
    Bytes wire; ///< every octet of the link
    std::optional<keycenter::KeyAnswer> answer;
    std::optional<local::KeyInfo> key_info;
    std::optional<local::EstablishmentAnswer> told; ///< L4
    kdf::TranscriptHash th_est{};
    std::optional<UtcTime> agreed; ///< set when the MT has proved that it holds the key
    std::optional<Error> error;

private:
    Result<void> on(const local::Connected& connected, const AskKeyCenter&) {
        th_conn_ = connected.th_conn;
        session_.request_key_info({.device_id = device_id_});
        return {};
    }
    Result<void> on(const local::KeyInfoReceived& received, const AskKeyCenter&) {
        key_info = received.info;
        if (received.info.nafs.empty()) {
            return fail(Errc::NafNotAllowed, "the MT names no NAF");
        }
        session_.request_establishment({.naf_id = received.info.nafs.front().naf_id,
                                        .device_id = device_id_,
                                        .b_tid = received.info.b_tid,
                                        .reason = local::Reason::NoKey});
        return {};
    }
    Result<void> on(const local::EstablishmentReceived& received, const AskKeyCenter& key_center) {
        told = received.answer;
        th_est = received.th_est;
        const auto& naf_id = told->naf_id;
        answer = MTKEY_TRY(key_center(
            {.b_tid = told->b_tid,
             .device_id = device_id_,
             .naf_id = keycenter::NafIdText{.fqdn = naf_id.fqdn, .ua = to_hex(naf_id.ua)}}));
        if (answer->b_tid != told->b_tid || answer->profile != told->profile) {
            return fail(Errc::ProtocolViolation, "another B-TID or profile than the MT's");
        }
        const local::Confirm confirm{.est_id = told->est_id,
                                     .b_tid = answer->b_tid,
                                     .naf_id = naf_id,
                                     .profile = answer->profile,
                                     .expires = answer->expires};
        const auto keys = kdf::establishment_keys(answer->ks_local_mt, th_est);
        confirm_mac_ =
            kdf::confirm_mac(keys.confirm_device, th_est, th_conn_, encode_confirm_body(confirm));
        session_.confirm(confirm, confirm_mac_);
        return {};
    }
    Result<void> on(const local::ConfirmAcknowledged& done, const AskKeyCenter&) {
        const auto keys = kdf::establishment_keys(answer->ks_local_mt, th_est);
        const auto expected =
            kdf::confirm_ack_mac(keys.confirm_mt, th_est, th_conn_, confirm_mac_, done.body);
        if (!equal_constant_time(expected, done.mac) ||
            done.ack.status != local::ConfirmAck::Status::Stored) {
            return fail(Errc::ConfirmationFailed, "the MT");
        }
        agreed = done.ack.expires;
        return {};
    }
    Result<void> on(const local::ResumeAnswered&, const AskKeyCenter&) {
        return fail(Errc::ProtocolViolation, "nothing was resumed");
    }
    Result<void> on(const local::PeerRefused& refused, const AskKeyCenter&) {
        return fail(local::errc_from(refused.error.code), refused.error.text);
    }
    Result<void> on(const local::PeerGone& gone, const AskKeyCenter&) {
        return std::unexpected(gone.reason);
    }

    std::string device_id_;
    const Clock& clock_;
    local::DeviceSession session_;
    kdf::TranscriptHash th_conn_{};
    local::Mac confirm_mac_{};
};

} // namespace mtkey::integration
