// SPDX-License-Identifier: Apache-2.0
#include "unit/daemon/procedure_fixture.hpp"

#include <deque>

namespace mtkey::daemon {
namespace {

TEST_F(ProcedureTest, FullThenOptimised) {
    Link link(*this);
    const auto info = link.key_info();
    EXPECT_FALSE(info.b_tid);
    ASSERT_EQ(info.nafs.size(), 1U);
    const auto key = held(link, link.establish({}));
    EXPECT_EQ(card.runs, 1U);
    EXPECT_EQ(store.find(kDevice), nullptr) << "nothing is stored before the confirmation";
    EXPECT_EQ(mt.device(kDevice)->key_state, "pending");
    EXPECT_EQ(link.procedure.device(), kDevice);
    EXPECT_FALSE(link.procedure.proven()) << "no more than said";
    send_confirm(link, key);
    expect_ack(link, key);
    EXPECT_TRUE(link.procedure.proven());
    ASSERT_NE(store.find(kDevice), nullptr);
    EXPECT_TRUE(store.find(kDevice)->ks_local_mt == key.ks_local_mt);
    EXPECT_EQ(store.find(kDevice)->expires, clock.utc_now() + 12h)
        << "the Key Center's was earlier";
    EXPECT_EQ(mt.device(kDevice)->key_state, "established");
    EXPECT_EQ(mt.pending().size(), 0U);

    Link second(*this);
    const auto again = second.key_info("urn:uuid:2");
    EXPECT_EQ(again.b_tid, key.answer.b_tid);
    const auto other = held(second, second.establish(again.b_tid));
    EXPECT_EQ(card.runs, 1U);
    EXPECT_FALSE(other.ks_local_mt == key.ks_local_mt);
    EXPECT_EQ(mt.statistics().at("establishments_full"), 1U);
    EXPECT_EQ(mt.statistics().at("establishments_optimised"), 1U);
}

TEST_F(ProcedureTest, DeviceWithoutARuleGetsNothing) {
    card.bootstrap({}, [](const auto&) {}); // there is a B-TID to leak
    const auto before = card.bootstraps;
    Link link(*this);
    link.device.request_key_info({"urn:uuid:stranger"});
    const auto refused = link.expect<local::PeerRefused>();
    EXPECT_EQ(refused.error.code, ErrorCode::Pending);
    EXPECT_FALSE(refused.error.b_tid);
    EXPECT_GT(refused.error.retry_after, 0U);
    EXPECT_EQ(card.bootstraps, before);
    EXPECT_EQ(card.derivations, 0U);
    EXPECT_FALSE(mt.device("urn:uuid:stranger")->approved);
    EXPECT_EQ(mt.statistics().at("devices_refused"), 1U);
}

TEST_F(ProcedureTest, StrangersDoNotFillTheList) {
    for (int i = 0; i < 1000; ++i) {
        mt.meet("urn:stranger:" + std::to_string(i), "serial0", "tty");
    }
    EXPECT_EQ(mt.devices().size(), 32U + config.devices.size());
    EXPECT_TRUE(mt.meet(kDevice, "serial0", "tty"));
}

/// Those that ask now are the ones that a person may want to approve.
TEST_F(ProcedureTest, OldestStrangerMakesRoom) {
    auto denied = make_config();
    denied.devices.push_back(DeviceRule{"urn:uuid:denied", false, "", ""});
    Mt other(reactor, denied, clock, random, card, store);
    std::vector<std::string> told;
    MtEvents events;
    events.device_changed = [&](const std::string& id) { told.push_back(id); };
    other.set_events(std::move(events));
    const auto meet = [&](int number) {
        EXPECT_FALSE(other.meet("urn:stranger:" + std::to_string(number), "serial0", "tty"));
    };
    std::optional<ProcedureLink> connected(std::in_place, other);
    connected->device.request_key_info({"urn:stranger:0"});
    EXPECT_TRUE(connected->exchange());
    for (int i = 1; i < 32; ++i) {
        meet(i);
    }
    meet(1); // asks again
    told.clear();
    meet(32);
    EXPECT_EQ(told, (std::vector<std::string>{"urn:stranger:2", "urn:stranger:32"}));
    EXPECT_FALSE(other.device("urn:stranger:2"));
    EXPECT_TRUE(other.device("urn:stranger:0")) << "it is connected";
    connected.reset();
    meet(33);
    EXPECT_FALSE(other.device("urn:stranger:0"));
    told.clear();
    meet(2);
    EXPECT_EQ(told, (std::vector<std::string>{"urn:stranger:3", "urn:stranger:2"}));
    EXPECT_EQ(other.devices().size(), 32U + denied.devices.size());
    EXPECT_TRUE(other.device("urn:uuid:denied"));

    std::deque<ProcedureLink> all; // connected, each of them: it still is the oldest
    for (int i = 100; i < 132; ++i) {
        auto& link = all.emplace_back(other);
        link.device.request_key_info({"urn:stranger:" + std::to_string(i)});
        EXPECT_TRUE(link.exchange());
    }
    meet(200);
    EXPECT_FALSE(other.device("urn:stranger:100"));
    EXPECT_TRUE(other.device("urn:stranger:200"));
}

TEST_F(ProcedureTest, WrongConfirmationsDropThePendingKey) {
    Link link(*this);
    const auto key = establish_only(link);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(mt.pending().size(), 1U) << i;
        Link fresh(*this);
        send_confirm(fresh, key, true);
        EXPECT_EQ(fresh.refused(), ErrorCode::Confirmation);
    }
    EXPECT_EQ(mt.pending().size(), 0U);
    send_confirm(link, key);
    EXPECT_EQ(link.refused(), ErrorCode::Confirmation) << "right, but too late";
    EXPECT_EQ(store.find(kDevice), nullptr);
}

/// est_id is no secret: who knows it and no more is not taken for the other device.
TEST_F(ProcedureTest, WrongConfirmationMakesNobodyElse) {
    const std::string victim = "urn:uuid:2";
    Link other(*this);
    const auto key = establish_only(other, victim);
    Link link(*this);
    const auto info = link.key_info();
    for (int i = 0; i < 5; ++i) {
        send_confirm(link, key, true);
        EXPECT_EQ(link.refused(), ErrorCode::Confirmation);
    }
    static_cast<void>(link.establish(info.b_tid));
    ASSERT_NE(mt.pending().find_device(kDevice, clock.boot_now()), nullptr);
    EXPECT_EQ(mt.pending().find_device(victim, clock.boot_now())->est_id, key.answer.est_id);
    link.ask(naf_id(), {}, local::Reason::BtidUnknownToNetwork);
    EXPECT_TRUE(link.exchange());
    EXPECT_EQ(card.last_asked_by, kDevice) << "whose budget pays for the run";
    send_confirm(other, key);
    expect_ack(other, key);
}

/// Nor is a connection without a Device_ID yet the other device's.
TEST_F(ProcedureTest, WrongConfirmationBindsNoConnection) {
    const std::string victim = "urn:uuid:2";
    Link other(*this);
    const auto key = establish_only(other, victim);
    unsigned failures = 0;
    MtEvents events;
    events.procedure_failed = [&](const auto&, const auto&) { ++failures; };
    mt.set_events(std::move(events));
    Link link(*this);
    send_confirm(link, key, true);
    EXPECT_EQ(link.refused(), ErrorCode::Confirmation);
    EXPECT_EQ(failures, 0U) << "nobody says that the device has failed";
    EXPECT_FALSE(link.key_info().nafs.empty());
    EXPECT_EQ(link.procedure.device(), kDevice);
}

TEST_F(ProcedureTest, OneConnectionIsOneDevice) {
    const auto key = establish_and_confirm();
    const std::string other = "urn:uuid:2";
    { // proven by RESUME
        Link link(*this);
        EXPECT_EQ(resume(link, key).answer.status, local::ResumeAnswer::Status::Known);
        link.device.request_key_info({other});
        EXPECT_EQ(link.expect<local::PeerGone>().reason.code, Errc::ProtocolViolation);
        EXPECT_TRUE(link.mt_session.finished());
    }
    { // by CONFIRM
        Link link(*this);
        link.device_id = kDevice;
        send_confirm(link, key);
        expect_ack(link, key);
        EXPECT_TRUE(link.procedure.proven());
        link.device.request_key_info({other});
        EXPECT_EQ(link.expect<local::PeerGone>().reason.code, Errc::ProtocolViolation);
    }
    { // said in L1: no other device's key is recognised
        Link link(*this);
        static_cast<void>(link.key_info(other));
        EXPECT_EQ(resume(link, key).answer.status, local::ResumeAnswer::Status::Unknown);
        send_confirm(link, key);
        EXPECT_EQ(link.refused(), ErrorCode::Confirmation);
    }
}

/// Draft 5.5.2 steps 11 to 17 came to nothing: no key on either side, and both sides say so.
TEST_F(ProcedureTest, DeviceThatGivesUpLeavesNoKey) {
    std::string failed;
    MtEvents events;
    events.procedure_failed = [&](const std::string& device_id, const Error& error) {
        failed = device_id + ": " + describe(error);
    };
    mt.set_events(std::move(events));
    Link link(*this);
    static_cast<void>(establish_only(link));
    ASSERT_EQ(mt.pending().size(), 1U);
    link.device.give_up("NAF Key Center kc.example.org: it has said no");
    static_cast<void>(link.exchange());
    EXPECT_EQ(mt.pending().size(), 0U);
    EXPECT_TRUE(failed.starts_with(kDevice)) << failed;
    EXPECT_NE(failed.find("kc.example.org: it has said no"), std::string::npos) << failed;
    Link bye(*this); // goes on over another connection
    static_cast<void>(establish_only(bye));
    bye.device.close();
    static_cast<void>(bye.exchange());
    EXPECT_EQ(mt.pending().size(), 1U);

    failed.clear();
    Link done(*this);
    const auto key = establish_only(done);
    send_confirm(done, key);
    expect_ack(done, key);
    done.device.give_up("what is confirmed is no longer given up");
    static_cast<void>(done.exchange());
    EXPECT_TRUE(done.mt_session.finished());
    EXPECT_EQ(failed, "");
    EXPECT_NE(store.find(kDevice), nullptr);
}

TEST_F(ProcedureTest, ApprovedDeviceIsNotHiddenByItsName) {
    auto here = make_config();
    here.devices = {DeviceRule{kDevice, true, "serial0", ""}};
    Mt other(reactor, here, clock, random, card, store);
    EXPECT_TRUE(other.meet(kDevice, "serial0", "tty"));
    EXPECT_FALSE(other.meet(kDevice, "elsewhere", "anybody"));
    EXPECT_TRUE(other.device(kDevice)->approved);
    EXPECT_EQ(other.device(kDevice)->transport, "serial0");
}

TEST_F(ProcedureTest, WrongConfirmationNeverHurtsAConfirmedKey) {
    const auto key = establish_and_confirm();
    for (int i = 0; i < 5; ++i) {
        Link link(*this);
        send_confirm(link, key, true);
        EXPECT_EQ(link.refused(), ErrorCode::Confirmation);
    }
    EXPECT_NE(store.find(kDevice), nullptr);
}

TEST_F(ProcedureTest, ReplayedConfirmationIsRefused) {
    local::Confirm recorded;
    local::Mac mac{};
    {
        Link link(*this);
        const auto key = establish_only(link);
        send_confirm(link, key);
        recorded = {key.answer.est_id, key.answer.b_tid, naf_id(), "draft-1",
                    clock.utc_now() + 12h};
        mac = last_mac;
        expect_ack(link, key);
    }
    Link later(*this);
    later.device.confirm(recorded, mac);
    EXPECT_EQ(later.refused(), ErrorCode::Confirmation);
}

TEST_F(ProcedureTest, LostAcknowledgementIsGivenAgain) {
    const auto key = establish_and_confirm();
    Link later(*this);
    later.device_id = kDevice;
    send_confirm(later, key); // made anew for this connection
    expect_ack(later, key);
    EXPECT_EQ(mt.statistics().at("keys_confirmed"), 1U);
}

TEST_F(ProcedureTest, RefusalsAtL3) {
    Link link(*this);
    const auto info = link.key_info();
    auto foreign = naf_id();
    foreign.fqdn = "other.example.org";
    link.device.request_establishment({foreign, kDevice, {}, local::Reason::NoKey});
    EXPECT_EQ(link.refused(), ErrorCode::NafUnknown);
    EXPECT_EQ(card.bootstraps, 0U);

    card.fail_bootstrap = Error{Errc::BsfUnreachable, 0, "bsf"};
    Link net(*this);
    static_cast<void>(net.key_info());
    net.device.request_establishment({naf_id(), kDevice, {}, local::Reason::NoKey});
    EXPECT_EQ(net.refused(), ErrorCode::Network);
    card.fail_bootstrap = Error{Errc::MacFailure, 0x9862, ""};
    Link mac(*this);
    static_cast<void>(mac.key_info());
    mac.device.request_establishment({naf_id(), kDevice, {}, local::Reason::NoKey});
    EXPECT_EQ(mac.refused(), ErrorCode::Card);
    EXPECT_EQ(mt.pending().size(), 0U);
}

TEST_F(ProcedureTest, BtidChangedAndStale) {
    card.bootstrap({}, [](const auto&) {});
    Link link(*this);
    const auto info = link.key_info();
    ASSERT_TRUE(info.b_tid);
    card.bootstrap({.force = true}, [](const auto&) {}); // between L2 and L3
    link.device.request_establishment({naf_id(), kDevice, info.b_tid, local::Reason::NoKey});
    const auto changed = link.expect<local::PeerRefused>();
    EXPECT_EQ(changed.error.code, ErrorCode::BtidChanged);
    EXPECT_EQ(changed.error.b_tid, card.state_.context->b_tid);

    card.fail_naf_key = Error{Errc::BtidStale, 0x6985, ""};
    link.device.request_establishment(
        {naf_id(), kDevice, changed.error.b_tid, local::Reason::NoKey});
    EXPECT_EQ(link.refused(), ErrorCode::BtidStale);

    // The card was out: no answer about another B-TID than the device's, which it would not take.
    card.state_.context.reset();
    link.device.request_establishment(
        {naf_id(), kDevice, changed.error.b_tid, local::Reason::NoKey});
    EXPECT_EQ(link.refused(), ErrorCode::BtidStale);
    EXPECT_EQ(card.runs, 2U);
}

TEST_F(ProcedureTest, UnknownToTheNetworkForcesARun) {
    card.bootstrap({}, [](const auto&) {});
    Link link(*this);
    static_cast<void>(link.key_info());
    static_cast<void>(link.establish({}, local::Reason::BtidUnknownToNetwork));
    EXPECT_EQ(card.forced, 1U);
    EXPECT_EQ(card.runs, 2U);
}

TEST_F(ProcedureTest, StoredKey) {
    const auto key = establish_and_confirm();
    using Status = local::ResumeAnswer::Status;
    {
        Link link(*this);
        EXPECT_EQ(resume(link, key).answer.status, Status::Known);
        EXPECT_EQ(mt.statistics().at("keys_resumed"), 1U);
    }
    {
        card.state_.state = CardState::State::NoCard; // suspended
        Link link(*this);
        const auto answer = resume(link, key).answer;
        EXPECT_EQ(answer.status, Status::Wait);
        EXPECT_TRUE(answer.mac);
        EXPECT_GT(answer.retry_after, 0U);
        EXPECT_FALSE(link.key_info("urn:uuid:2").nafs.empty()) << "the connection is nobody's yet";
        card.state_.state = CardState::State::Ready;
    }
    {
        Link link(*this);
        Held stranger{Secret<32>(), key.th_est, key.answer};
        const auto answer = resume(link, stranger).answer;
        EXPECT_EQ(answer.status, Status::Unknown);
        EXPECT_FALSE(answer.mac);
    }
    {
        clock.advance(13h); // past what the Key Center gave
        Link link(*this);
        EXPECT_EQ(resume(link, key).answer.status, Status::Delete);
        EXPECT_EQ(store.find(kDevice), nullptr);
    }
}

TEST_F(ProcedureTest, AnotherUiccEndsTheKeys) {
    static_cast<void>(establish_and_confirm());
    Link link(*this);
    static_cast<void>(establish_only(link, "urn:uuid:2"));
    std::vector<std::string> told;
    MtEvents events;
    events.device_changed = [&](const std::string& id) { told.push_back(id); };
    mt.set_events(std::move(events));
    card.state_.uicc = "card two";
    card.state_.context.reset();
    mt.card_changed();
    EXPECT_EQ(store.find(kDevice), nullptr);
    EXPECT_EQ(mt.pending().size(), 0U);
    std::ranges::sort(told);
    EXPECT_EQ(told, (std::vector<std::string>{kDevice, "urn:uuid:2"})) << "a pending one as well";
}

TEST_F(ProcedureTest, ForgottenKeyIsNotDerivedAgain) {
    const auto key = establish_and_confirm();
    ASSERT_TRUE(mt.forget(kDevice));
    EXPECT_EQ(mt.forget("urn:uuid:unknown").error().code, Errc::UnknownDevice);
    EXPECT_EQ(std::ranges::count(card.not_resumed, key.answer.b_tid), 1)
        << "nor after a restart, which knows of no tombstone";
    Link link(*this);
    EXPECT_FALSE(link.key_info().b_tid) << "the same inputs would give the same key";
    const auto again = held(link, link.establish({}));
    EXPECT_EQ(card.forced, 1U);
    EXPECT_FALSE(again.ks_local_mt == key.ks_local_mt);
    Link other(*this);
    EXPECT_TRUE(other.key_info("urn:uuid:2").b_tid) << "others keep theirs";
}

TEST_F(ProcedureTest, RunOfSomebodyElseDuringADerivation) {
    card.bootstrap({}, [](const auto&) {});
    Link link(*this);
    const auto info = link.key_info();
    card.late = true;
    link.device.request_establishment({naf_id(), kDevice, info.b_tid, local::Reason::NoKey});
    EXPECT_FALSE(link.exchange());
    card.late = false;
    card.bootstrap({.force = true}, [](const auto&) {});
    card.answer_next();
    const auto changed = link.expect<local::PeerRefused>();
    EXPECT_EQ(changed.error.code, ErrorCode::BtidChanged);
    EXPECT_EQ(changed.error.b_tid, card.state_.context->b_tid);
}

TEST_F(ProcedureTest, ForgottenWhileTheCardWorks) {
    card.bootstrap({}, [](const auto&) {});
    Link link(*this);
    const auto info = link.key_info();
    card.late = true;
    link.device.request_establishment({naf_id(), kDevice, info.b_tid, local::Reason::NoKey});
    EXPECT_FALSE(link.exchange());
    ASSERT_TRUE(mt.forget(kDevice));
    card.answer_next();
    EXPECT_EQ(link.refused(), ErrorCode::BtidStale);
    EXPECT_EQ(mt.pending().size(), 0U);
}

TEST_F(ProcedureTest, LinkThatEndsWhileTheCardWorks) {
    card.late = true;
    {
        Link link(*this);
        static_cast<void>(link.key_info());
        link.device.request_establishment({naf_id(), kDevice, {}, local::Reason::NoKey});
        EXPECT_FALSE(link.exchange());
    }
    card.answer_next(); // nobody is there to hear it
    EXPECT_EQ(card.derivations, 0U);
    EXPECT_EQ(mt.pending().size(), 0U);
}

/// Boards without a clock, and a network whose clock is ahead of ours: only differences count.
TEST_F(ProcedureTest, NetworkTimeIsNotOurs) {
    for (const auto* here : {"1970-01-01T00:10:00Z", "2037-06-01T00:00:00Z"}) {
        const auto network_now = parse_utc("2030-01-01T00:00:00Z").value();
        clock.set_utc(here);
        card.network_ahead = network_now - clock.utc_now();
        card.bootstrap({.force = true}, [](const auto&) {});
        Link link(*this);
        const auto info = link.key_info();
        ASSERT_TRUE(info.b_tid) << here;
        const auto key = held(link, link.establish(info.b_tid));
        EXPECT_EQ(key.answer.ks_expires, network_now + 24h);
        EXPECT_EQ(key.answer.seconds_left, 24U * 3600);
        EXPECT_EQ(card.bootstraps, card.forced) << "no run of a device's own";
        send_confirm(link, key);
        expect_ack(link, key);
        const auto* record = store.find(kDevice);
        EXPECT_EQ(record->expires, network_now + 12h) << here;
        EXPECT_EQ(record->local_end, clock.utc_now() + 12h);
        EXPECT_EQ(record->deadline, clock.boot_now() + 12h);
        clock.advance(12h - 1s);
        EXPECT_FALSE(record->expired(clock));
        clock.advance(1s);
        EXPECT_TRUE(record->expired(clock));
        ASSERT_TRUE(store.end(std::array{std::string(kDevice)}, {}));
    }
}

TEST_F(ProcedureTest, SecondsLeftFollowTheNearerClock) {
    card.bootstrap({}, [](const auto&) {});
    card.late = true;
    Link link(*this);
    const auto info = link.key_info();
    link.device.request_establishment({naf_id(), kDevice, info.b_tid, local::Reason::NoKey});
    EXPECT_FALSE(link.exchange());
    card.answer_next();
    const auto answer = link.expect<local::EstablishmentReceived>().answer;
    EXPECT_EQ(answer.seconds_left, 24U * 3600);
}

TEST_F(ProcedureTest, WhatEndsIsWiped) {
    static_cast<void>(establish_and_confirm());
    Link link(*this);
    static_cast<void>(establish_only(link, "urn:uuid:2"));
    EXPECT_EQ(mt.next_end(), clock.boot_now() + 1h); // the pending key
    clock.advance(1h - 1ms);
    mt.sweep();
    EXPECT_EQ(mt.pending().size(), 1U);
    clock.advance(1ms);
    mt.sweep();
    EXPECT_EQ(mt.pending().size(), 0U);
    EXPECT_EQ(mt.next_end(), clock.boot_now() + 11h); // what the Key Center gave
    clock.advance(11h);
    mt.sweep();
    EXPECT_EQ(store.find(kDevice), nullptr);
    ASSERT_TRUE(card.state_.context);
    EXPECT_EQ(mt.next_end(), clock.boot_now() + 12h); // Ks
    clock.advance(12h);
    mt.sweep();
    EXPECT_FALSE(card.state_.context);
    EXPECT_FALSE(mt.next_end());
}

TEST_F(ProcedureTest, SweepWaitsForASlowCardService) {
    card.bootstrap({}, [](const auto&) {});
    card.late = true;
    clock.advance(24h);
    EXPECT_FALSE(mt.context()) << "not handed out, whatever is still in the state";
    mt.sweep();
    mt.sweep();
    EXPECT_FALSE(mt.next_end()) << "asked once, and no polling until it is done";
    card.answer_next();
    EXPECT_FALSE(card.state_.context);
}

TEST_F(ProcedureTest, ClockSetForwardShowsByTheTimer) {
    static_cast<void>(establish_and_confirm());
    clock.jump_utc(11h);
    EXPECT_EQ(mt.next_end(), clock.boot_now() + 1h);
    clock.jump_utc(-20h);
    EXPECT_EQ(mt.next_end(), clock.boot_now() + 12h);
    clock.jump_utc(10 * 365 * 24h);
    EXPECT_EQ(mt.next_end(), clock.boot_now() + 12h) << "not over and over for what is past by UTC";
}

/// Between derivation and CONFIRM the clock is set: what is left of the key is not.
TEST_F(ProcedureTest, ClockSetBeforeTheConfirmation) {
    for (const auto by : {-10 * 365 * 24h, -24h, 24h, 10 * 365 * 24h}) {
        Link link(*this);
        const auto key = establish_only(link);
        const auto made = clock.boot_now();
        const auto given = clock.utc_now() + 12h;
        clock.advance(5min);
        clock.jump_utc(by);
        const local::Confirm confirm{key.answer.est_id, key.answer.b_tid, naf_id(), "draft-1",
                                     given};
        const auto keys = kdf::establishment_keys(key.ks_local_mt, key.th_est);
        last_mac = kdf::confirm_mac(keys.confirm_device, key.th_est, link.th_conn,
                                    local::encode_confirm_body(confirm));
        link.device.confirm(confirm, last_mac);
        expect_ack(link, key);
        const auto* record = store.find(kDevice);
        ASSERT_NE(record, nullptr);
        EXPECT_EQ(record->expires, given);
        EXPECT_EQ(record->deadline, made + 12h);
        EXPECT_EQ(record->local_end, clock.utc_now() + 12h - 5min);
        clock.jump_utc(-by);
        ASSERT_TRUE(store.end(std::array{std::string(kDevice)}, {}));
        card.bootstrap({.force = true}, [](const auto&) {});
    }
}

TEST_F(ProcedureTest, OnlyDifferencesAreTold) {
    static_cast<void>(establish_and_confirm());
    std::vector<std::string> told;
    MtEvents events;
    events.device_changed = [&](const std::string& id) { told.push_back(id); };
    mt.set_events(events);
    mt.card_changed();
    mt.card_changed();
    EXPECT_TRUE(told.empty());
    card.state_.state = CardState::State::NoCard;
    mt.card_changed();
    mt.card_changed();
    EXPECT_EQ(told, std::vector{kDevice}) << "suspended";
}

TEST_F(ProcedureTest, FullStoreKeepsThePendingKey) {
    for (int i = 0; i < 4; ++i) {
        store::KeyRecord record;
        record.device_id = "other" + std::to_string(i);
        record.uicc = card.state_.uicc;
        record.local_end = clock.utc_now() + 1h;
        record.deadline = clock.boot_now() + 1h;
        ASSERT_TRUE(store.put(std::move(record)));
    }
    Link link(*this);
    const auto key = establish_only(link);
    send_confirm(link, key);
    static_cast<void>(link.refused());
    EXPECT_EQ(store.find(kDevice), nullptr);
    EXPECT_EQ(mt.pending().size(), 1U);
    ASSERT_TRUE(store.end(std::array{std::string("other0")}, {}));
    send_confirm(link, key);
    expect_ack(link, key);
}

} // namespace
} // namespace mtkey::daemon
