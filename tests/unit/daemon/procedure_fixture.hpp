// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "daemon/procedure.hpp"
#include "kdf/local_mt.hpp"
#include "unit/daemon/fake_card.hpp"
#include "unit/daemon/procedure_link.hpp"

#include <gtest/gtest.h>

namespace mtkey::daemon {

using namespace std::chrono_literals;
using local::ErrorCode;

inline const std::string kDevice = "urn:uuid:1";

inline Config make_config() {
    Config config;
    keys::NafEntry naf;
    naf.naf_id.fqdn = "kc.example.org";
    config.nafs = {naf};
    config.devices = {DeviceRule{kDevice, true, "", ""}, DeviceRule{"urn:uuid:2", true, "", ""}};
    return config;
}

/// The MT's part of the procedures against a device's session over memory.
class ProcedureTest : public ::testing::Test {
protected:
    struct Link : ProcedureLink {
        explicit Link(ProcedureTest& test) : ProcedureLink(test.mt) {}
        local::KeyInfo key_info(const std::string& id = kDevice) {
            return ProcedureLink::key_info(id);
        }
        local::EstablishmentReceived establish(std::optional<std::string> b_tid,
                                               local::Reason reason = local::Reason::NoKey) {
            ask(naf_id(), std::move(b_tid), reason);
            return expect<local::EstablishmentReceived>();
        }
        ErrorCode refused() { return expect<local::PeerRefused>().error.code; }
    };

    /// What a device holds after L4 and the Key Center's answer.
    struct Held {
        Secret<32> ks_local_mt;
        kdf::TranscriptHash th_est{};
        local::EstablishmentAnswer answer;
    };

    [[nodiscard]] static kdf::NafId naf_id() { return make_config().nafs[0].naf_id; }

    Held held(const Link& link, const local::EstablishmentReceived& received) {
        const auto key = card.key_of(naf_id(), received.answer.b_tid);
        return Held{kdf::ks_local_mt(kdf::draft_1(), key.ks_naf, received.answer.b_tid, naf_id(),
                                     link.device_id)
                        .value(),
                    received.th_est, received.answer};
    }
    Held establish_only(Link& link, const std::string& id = kDevice) {
        const auto info = link.key_info(id);
        return held(link, link.establish(info.b_tid));
    }
    void send_confirm(Link& link, const Held& key, bool wrong = false) {
        const local::Confirm confirm{key.answer.est_id, key.answer.b_tid, naf_id(), "draft-1",
                                     clock.utc_now() + card.network_ahead + 12h};
        const auto keys = kdf::establishment_keys(key.ks_local_mt, key.th_est);
        last_mac = kdf::confirm_mac(keys.confirm_device, key.th_est, link.th_conn,
                                    local::encode_confirm_body(confirm));
        auto mac = last_mac;
        mac[5] ^= wrong ? 1 : 0;
        link.device.confirm(confirm, mac);
    }
    void expect_ack(Link& link, const Held& key) {
        const auto ack = link.expect<local::ConfirmAcknowledged>();
        const auto keys = kdf::establishment_keys(key.ks_local_mt, key.th_est);
        EXPECT_EQ(ack.mac, kdf::confirm_ack_mac(keys.confirm_mt, key.th_est, link.th_conn, last_mac,
                                                ack.body));
        EXPECT_EQ(ack.ack.status, local::ConfirmAck::Status::Stored);
        EXPECT_EQ(ack.ack.expires,
                  store.find(link.device_id.empty() ? kDevice : link.device_id)->expires);
    }
    Held establish_and_confirm(const std::string& id = kDevice) {
        Link link(*this);
        auto key = establish_only(link, id);
        send_confirm(link, key);
        expect_ack(link, key);
        return key;
    }
    local::ResumeAnswered resume(Link& link, const Held& key) {
        const auto keys = kdf::establishment_keys(key.ks_local_mt, key.th_est);
        link.device.resume({{local::Tag{}, kdf::resume_tag(keys.key_id, link.th_conn)}});
        auto answered = link.expect<local::ResumeAnswered>();
        if (answered.answer.mac) {
            EXPECT_EQ(*answered.answer.mac, kdf::resume_answer_mac(keys.confirm_mt, key.th_est,
                                                                   link.th_conn, answered.body));
            EXPECT_EQ(answered.answer.index, 1);
        }
        return answered;
    }

    const Config config = make_config();
    fakes::ManualClock clock{"2030-01-01T00:00:00Z"};
    SystemRandom random;
    Reactor reactor; // not run: only its timers are wanted
    FakeCard card{clock};
    store::MemoryKeyStore store{4};
    Mt mt{reactor, config, clock, random, card, store};
    local::Mac last_mac{};
};

} // namespace mtkey::daemon
