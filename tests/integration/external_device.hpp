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

    /// Ends when nobody has anything to say any more.
    void establish(MtPeer& mt, const AskKeyCenter& key_center) {
        for (bool moved = true; moved;) {
            const auto up = session_.take_output();
            mt.session().receive(up, clock_.boot_now());
            mt.work();
            const auto down = mt.session().take_output();
            session_.receive(down, clock_.boot_now());
            moved = !up.empty() || !down.empty();
            while (auto event = session_.next_event()) {
                std::visit([&](const auto& what) { on(what, key_center); }, *event);
            }
            wire.insert(wire.end(), up.begin(), up.end());
            wire.insert(wire.end(), down.begin(), down.end());
        }
    }

    bool expect_refusal = false; ///< of the Key Center

    // What the test looks at.
    Bytes wire; ///< every octet of the link
    std::optional<keycenter::KeyAnswer> answer;
    std::optional<local::KeyInfo> key_info;
    std::optional<local::EstablishmentAnswer> told; ///< L4
    kdf::TranscriptHash th_est{};
    std::optional<UtcTime> agreed; ///< set when the MT has proved that it holds the key

private:
    void on(const local::Connected& connected, const AskKeyCenter&) {
        th_conn_ = connected.th_conn;
        session_.request_key_info({.device_id = device_id_});
    }
    void on(const local::KeyInfoReceived& received, const AskKeyCenter&) {
        key_info = received.info;
        ASSERT_FALSE(received.info.nafs.empty());
        session_.request_establishment({.naf_id = received.info.nafs.front().naf_id,
                                        .device_id = device_id_,
                                        .b_tid = received.info.b_tid,
                                        .reason = local::Reason::NoKey});
    }
    void on(const local::EstablishmentReceived& received, const AskKeyCenter& key_center) {
        told = received.answer;
        th_est = received.th_est;
        const auto& naf_id = told->naf_id;
        auto delivered = key_center(
            {.b_tid = told->b_tid,
             .device_id = device_id_,
             .naf_id = keycenter::NafIdText{.fqdn = naf_id.fqdn, .ua = to_hex(naf_id.ua)}});
        if (!delivered && expect_refusal) {
            return;
        }
        ASSERT_TRUE(delivered) << describe(delivered.error());
        answer = std::move(*delivered);
        EXPECT_EQ(answer->b_tid, told->b_tid);
        EXPECT_EQ(answer->profile, told->profile);
        const local::Confirm confirm{.est_id = told->est_id,
                                     .b_tid = answer->b_tid,
                                     .naf_id = naf_id,
                                     .profile = answer->profile,
                                     .expires = answer->expires};
        const auto keys = kdf::establishment_keys(answer->ks_local_mt, th_est);
        confirm_mac_ =
            kdf::confirm_mac(keys.confirm_device, th_est, th_conn_, encode_confirm_body(confirm));
        session_.confirm(confirm, confirm_mac_);
    }
    void on(const local::ConfirmAcknowledged& done, const AskKeyCenter&) {
        const auto keys = kdf::establishment_keys(answer->ks_local_mt, th_est);
        ASSERT_TRUE(equal_constant_time(
            kdf::confirm_ack_mac(keys.confirm_mt, th_est, th_conn_, confirm_mac_, done.body),
            done.mac));
        ASSERT_EQ(done.ack.status, local::ConfirmAck::Status::Stored);
        agreed = done.ack.expires;
    }
    void on(const local::ResumeAnswered&, const AskKeyCenter&) { FAIL() << "nothing was resumed"; }
    void on(const local::PeerRefused& refused, const AskKeyCenter&) {
        FAIL() << refused.error.text;
    }
    void on(const local::PeerGone& gone, const AskKeyCenter&) { FAIL() << describe(gone.reason); }

    std::string device_id_;
    const Clock& clock_;
    local::DeviceSession session_;
    kdf::TranscriptHash th_conn_{};
    local::Mac confirm_mac_{};
};

} // namespace mtkey::integration
