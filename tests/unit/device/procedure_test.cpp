// SPDX-License-Identifier: Apache-2.0
// The roads of draft clauses 5.5.1 to 5.5.3 that end well.
#include "unit/device/procedure_fixture.hpp"

#include <sys/eventfd.h>

namespace mtkey::device {
namespace {

using enum Step;
using store::KeyState;
using ::testing::ElementsAre;

TEST_F(ProcedureTest, FullProcedureInTheOrderOfTheDraft) {
    const auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->kind, Outcome::Kind::Full);
    EXPECT_THAT(steps,
                ElementsAre(NoValidKey, KeyInfoRequested, NafListReceived, EstablishmentRequested,
                            TunnelEstablished, ServiceRequested, DeviceKeyStored, Completed));
    ASSERT_EQ(mt.l3.size(), 1U);
    EXPECT_FALSE(mt.l3[0].b_tid);
    EXPECT_EQ(mt.l3[0].reason, local::Reason::NoKey);
    EXPECT_EQ(mt.l3[0].device_id, "urn:uuid:1");
    EXPECT_TRUE(mt.confirm_macs_right);
    EXPECT_TRUE(mt.held.at(0).confirmed);

    const auto keys = stored();
    ASSERT_EQ(keys.size(), 1U);
    EXPECT_EQ(keys[0].state, KeyState::Confirmed);
    EXPECT_EQ(mt_id_of(keys[0]), "mt-one");
    EXPECT_EQ(keys[0].b_tid, "new1@bsf.example.org");
    EXPECT_EQ(keys[0].mode, "gba-u");
    EXPECT_TRUE(keys[0].ks_local_mt == mt.held[0].ks_local_mt);
    EXPECT_EQ(keys[0].th_est, mt.held[0].th_est);
    EXPECT_EQ(details[DeviceKeyStored], fingerprint_of(keys[0]));
    expect_private_files();

    ASSERT_EQ(key_center.requests.size(), 1U);
    EXPECT_EQ(key_center.requests[0].b_tid, "new1@bsf.example.org");
    ASSERT_TRUE(key_center.requests[0].naf_id);
    EXPECT_EQ(key_center.requests[0].naf_id->ua, "ff00033259");
    EXPECT_EQ(key_center.paths.at(0), "/.well-known/mtkey/key-request");
    EXPECT_EQ(key_center.targets.at(0).port, 443);
}

TEST_F(ProcedureTest, OptimisedProcedureTakesTheMtsBtid) {
    mt.b_tid = "old@bsf.example.org";
    const auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->kind, Outcome::Kind::Optimised);
    EXPECT_THAT(steps,
                ElementsAre(NoValidKey, KeyInfoRequested, NafSelected, EstablishmentRequested,
                            TunnelEstablished, ServiceRequested, DeviceKeyStored, Completed));
    ASSERT_EQ(mt.l3.size(), 1U);
    EXPECT_EQ(mt.l3[0].b_tid, "old@bsf.example.org");
    EXPECT_EQ(stored().at(0).b_tid, "old@bsf.example.org");
}

TEST_F(ProcedureTest, WorksOnATtysFraming) {
    reliable = false;
    const auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(stored().size(), 1U);
}

TEST_F(ProcedureTest, StoredKeyIsTriedFirst) {
    establish_first();
    const auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->kind, Outcome::Kind::Resumed);
    EXPECT_EQ(outcome->mt_id, "mt-one");
    EXPECT_THAT(steps, ElementsAre(StoredKeyTried, StoredKeyAccepted));
    EXPECT_EQ(details[StoredKeyAccepted], fingerprint_of(stored().at(0)));
    EXPECT_EQ(mt.l1, 0);
    EXPECT_TRUE(key_center.requests.empty());
}

TEST_F(ProcedureTest, RefusedKeyStaysUntilTheNewOneIsConfirmed) {
    establish_first();
    mt.held.clear(); // the MT has lost it
    std::size_t keys_at_confirm = 0;
    on_step = [&](Step step) {
        if (step == Completed) {
            keys_at_confirm = stored().size();
        }
    };
    const auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->kind, Outcome::Kind::Full);
    EXPECT_EQ(steps.at(1), StoredKeyRefused);
    EXPECT_EQ(steps.at(2), NoValidKey);
    EXPECT_EQ(keys_at_confirm, 2U) << "the old one active, the new one pending";
    ASSERT_EQ(stored().size(), 1U);
    EXPECT_EQ(stored()[0].b_tid, "new2@bsf.example.org");
}

TEST_F(ProcedureTest, RenewalSkipsTheStoredKeyAndSaysSo) {
    establish_first();
    settings.renew = true;
    ASSERT_TRUE(run());
    EXPECT_EQ(mt.resumes, 0);
    EXPECT_EQ(mt.l3.at(0).reason, local::Reason::Renewal);
    ASSERT_EQ(stored().size(), 1U);
    EXPECT_EQ(stored()[0].b_tid, "new2@bsf.example.org");
}

TEST_F(ProcedureTest, KeysOfSeveralMtsAreTriedTogether) {
    establish_first();
    key_center.change = [](keycenter::KeyAnswer& answer) { answer.mt_id = "mt-two"; };
    settings.renew = true;
    ASSERT_TRUE(run());
    ASSERT_EQ(stored().size(), 2U);
    settings.renew = false;
    mt.held.pop_back(); // only the first one's MT is here now
    const auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->kind, Outcome::Kind::Resumed);
    EXPECT_EQ(outcome->mt_id, "mt-one");
}

TEST_F(ProcedureTest, ExpiredKeyIsNotTried) {
    key_center.change = [this](keycenter::KeyAnswer& answer) {
        answer.expires = clock.utc_now() + std::chrono::hours(1);
    };
    mt.agreed_earlier = std::chrono::hours(2); // agreed end in the past
    establish_first();
    EXPECT_LT(stored().at(0).expires, clock.utc_now());
    mt.agreed_earlier = {};
    ASSERT_TRUE(run());
    EXPECT_EQ(mt.resumes, 0);
    EXPECT_EQ(steps.at(0), NoValidKey);
    EXPECT_EQ(stored().size(), 1U);
}

TEST_F(ProcedureTest, AdoptsTheAgreedEnd) {
    mt.agreed_earlier = std::chrono::hours(5);
    UtcTime given{};
    key_center.change = [&](keycenter::KeyAnswer& answer) { given = answer.expires; };
    ASSERT_TRUE(run());
    EXPECT_EQ(stored().at(0).expires, given - std::chrono::hours(5));
    EXPECT_EQ(mt.confirms.at(0).expires, given);

    mt.agreed_earlier = -std::chrono::hours(5); // later than the Key Center allowed
    settings.renew = true;
    ASSERT_TRUE(run());
    EXPECT_EQ(stored().at(0).expires, given);
}

// The MT's seconds count where the clock here is behind; they never lengthen what the Key Center
// says by a clock that is right.
TEST_F(ProcedureTest, EndsByTheShorterOfMtAndKeyCenter) {
    mt.change_l4 = [](local::EstablishmentAnswer& answer) { answer.seconds_left = 3600; };
    ASSERT_TRUE(run());
    auto key = stored().at(0).clone();
    EXPECT_GT(key.expires, clock.utc_now() + std::chrono::hours(23)) << "as it was agreed";
    EXPECT_GT(key.local_end, clock.utc_now() + std::chrono::minutes(58));
    EXPECT_LT(key.local_end, clock.utc_now() + std::chrono::minutes(62));
    EXPECT_GT(key.deadline, clock.boot_now() + std::chrono::minutes(58));
    EXPECT_LT(key.deadline, clock.boot_now() + std::chrono::minutes(62));

    settings.renew = true;
    mt.change_l4 = [](local::EstablishmentAnswer& answer) { answer.seconds_left = 0xFFFFFFFF; };
    ASSERT_TRUE(run());
    key = stored().at(0).clone();
    EXPECT_GT(key.deadline, clock.boot_now() + std::chrono::hours(23));
    EXPECT_LE(key.deadline, clock.boot_now() + std::chrono::hours(24));
    EXPECT_LE(key.local_end, key.expires);

    mt.change_l4 = [](local::EstablishmentAnswer& answer) { answer.seconds_left = 0; };
    EXPECT_EQ(run().error().code, Errc::KeyExpired);
    EXPECT_EQ(stored().size(), 1U);
}

TEST_F(ProcedureTest, KeyThatTheClockForbidsIsKeptAndNotTried) {
    establish_first();
    auto keys = stored();
    keys[0].time_unknown = true; // as after a reboot with a clock that was set back
    keys.push_back(keys[0].clone());
    keys[1].device_id = "mt-two";
    keys[1].time_unknown = false;
    keys[1].local_end = clock.utc_now() - std::chrono::hours(1);
    put(std::move(keys));
    const auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->kind, Outcome::Kind::Full);
    EXPECT_EQ(steps.at(0), NoValidKey);
    EXPECT_EQ(mt.resumes, 0);
    ASSERT_EQ(stored().size(), 2U) << "UTC may be set right again";
    EXPECT_EQ(stored()[0].b_tid, "new2@bsf.example.org");
    EXPECT_TRUE(stored()[0].usable(clock));
}

TEST_F(ProcedureTest, PendingKeyThatTheClockForbidsIsNotOffered) {
    using enum FakeMt::OnConfirm;
    mt.on_confirm = {LoseLinkAfterStoring, LoseLinkAfterStoring, LoseLinkAfterStoring};
    ASSERT_FALSE(run());
    auto keys = stored();
    keys.at(0).time_unknown = true;
    put(std::move(keys));
    mt.confirms.clear();
    const auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->kind, Outcome::Kind::Full);
    EXPECT_EQ(mt.confirms.size(), 1U);
}

TEST_F(ProcedureTest, BtidUnknownToTheNetworkLeadsToTheFullProcedureOnce) {
    mt.b_tid = "old@bsf.example.org";
    key_center.statuses = {410};
    settings.renew = true;
    mt.lose_at_l3 = 2; // the reason outlives the connection
    const auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->kind, Outcome::Kind::Full);
    ASSERT_EQ(mt.l3.size(), 3U);
    EXPECT_EQ(mt.l3[0].b_tid, "old@bsf.example.org");
    for (const auto& later : {mt.l3[1], mt.l3[2]}) {
        EXPECT_FALSE(later.b_tid);
        EXPECT_EQ(later.reason, local::Reason::BtidUnknownToNetwork);
    }
}

// The UICC has no Ks for the B-TID: the network was not asked, so nothing is said about it.
TEST_F(ProcedureTest, StaleBtidIsNotBlamedOnTheNetwork) {
    mt.b_tid = "old@bsf.example.org";
    local::ErrorMessage stale;
    stale.code = local::ErrorCode::BtidStale;
    mt.refuse_l3 = {stale};
    mt.lose_at_l3 = 2;
    const auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    ASSERT_EQ(mt.l3.size(), 3U);
    EXPECT_FALSE(mt.l3[2].b_tid);
    EXPECT_EQ(mt.l3[2].reason, local::Reason::NoKey);
}

TEST_F(ProcedureTest, OutdatedKeyInfoIsAskedForOnceMore) {
    mt.b_tid = "old@bsf.example.org";
    for (const auto code : {local::ErrorCode::NafUnknown, local::ErrorCode::BtidChanged}) {
        local::ErrorMessage error;
        error.code = code; // btid-changed without a new one: there is none
        mt.refuse_l3 = {error};
        mt.l1 = 0;
        settings.renew = true;
        ASSERT_TRUE(run());
        EXPECT_EQ(mt.l1, 2);
        mt.refuse_l3 = {error, error};
        EXPECT_EQ(run().error().code, local::errc_from(code));
    }
}

TEST_F(ProcedureTest, ChangedBtidIsTakenOnce) {
    mt.b_tid = "old@bsf.example.org";
    local::ErrorMessage changed;
    changed.code = local::ErrorCode::BtidChanged;
    changed.b_tid = "newer@bsf.example.org";
    mt.refuse_l3 = {changed};
    auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->kind, Outcome::Kind::Optimised);
    EXPECT_EQ(mt.l3.at(1).b_tid, "newer@bsf.example.org");
    EXPECT_EQ(stored().at(0).b_tid, "newer@bsf.example.org");

    settings.renew = true;
    mt.refuse_l3 = {changed, changed};
    outcome = run();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::BtidChanged);
}

TEST_F(ProcedureTest, StaleBtidLeadsToTheFullProcedureOnce) {
    mt.b_tid = "old@bsf.example.org";
    local::ErrorMessage stale;
    stale.code = local::ErrorCode::BtidStale;
    mt.refuse_l3 = {stale};
    auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->kind, Outcome::Kind::Full);
    EXPECT_FALSE(mt.l3.at(1).b_tid);
    EXPECT_EQ(mt.l3[1].reason, local::Reason::NoKey);

    settings.renew = true;
    mt.refuse_l3 = {stale, stale};
    outcome = run();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::BtidStale);
}

TEST_F(ProcedureTest, ChoosesTheConfiguredKeyCenterOrTheFirstPermitted) {
    mt.nafs = {naf_entry("evil.example.com"), naf_entry("one.3gppnetwork.org"),
               naf_entry("two.3gppnetwork.org", "https://two.3gppnetwork.org:8443/kc")};
    ASSERT_TRUE(run());
    EXPECT_EQ(stored().at(0).naf_fqdn, "one.3gppnetwork.org");
    settings.preferred_naf = "two.3gppnetwork.org";
    settings.renew = true;
    ASSERT_TRUE(run());
    EXPECT_EQ(stored().at(0).naf_fqdn, "two.3gppnetwork.org");
    EXPECT_EQ(key_center.targets.back().port, 8443);
    EXPECT_EQ(key_center.paths.back(), "/kc");
}

// local_protocol: the link may end between L4 and the acknowledgement; CONFIRM may come over
// another connection.
TEST_F(ProcedureTest, ConfirmsOverANewConnection) {
    for (const auto loss : {FakeMt::OnConfirm::LoseLink, FakeMt::OnConfirm::LoseLinkAfterStoring}) {
        mt.on_confirm = {loss};
        mt.confirms.clear();
        mt.l3.clear();
        settings.renew = true;
        const int before = mt.connections;
        const auto outcome = run();
        ASSERT_TRUE(outcome) << describe(outcome.error());
        EXPECT_EQ(outcome->kind, Outcome::Kind::Full);
        EXPECT_EQ(mt.connections - before, 2);
        EXPECT_EQ(mt.l3.size(), 1U) << "no second establishment";
        ASSERT_EQ(mt.confirms.size(), 2U);
        EXPECT_EQ(mt.confirms[0].est_id, mt.confirms[1].est_id);
        ASSERT_EQ(stored().size(), 1U);
        EXPECT_EQ(stored()[0].state, KeyState::Confirmed);
    }
}

TEST_F(ProcedureTest, ConfirmsThePendingKeyOfAnEarlierRun) {
    using enum FakeMt::OnConfirm;
    mt.on_confirm = {LoseLinkAfterStoring, LoseLinkAfterStoring, LoseLinkAfterStoring};
    auto outcome = run();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::LinkLost);
    ASSERT_EQ(stored().size(), 1U);
    EXPECT_EQ(stored()[0].state, KeyState::Pending);
    expect_private_files();

    outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->kind, Outcome::Kind::Resumed);
    EXPECT_THAT(steps, ElementsAre(Completed));
    EXPECT_EQ(stored().at(0).state, KeyState::Confirmed);
}

// Nobody on this link is authenticated: another MT's refusal is no reason to drop a key.
TEST_F(ProcedureTest, PendingKeySurvivesTheWordOfAnotherMt) {
    using enum FakeMt::OnConfirm;
    mt.on_confirm = {LoseLinkAfterStoring, LoseLinkAfterStoring, LoseLinkAfterStoring};
    ASSERT_FALSE(run());
    local::ErrorMessage refusal;
    refusal.code = local::ErrorCode::Refused;
    mt.refuse_l1 = refusal;
    for (const auto answer : {Error, WrongMac, RefusedStatus}) {
        mt.on_confirm = {answer};
        EXPECT_EQ(run().error().code, Errc::Rejected) << "of L1, which came next";
        ASSERT_EQ(stored().size(), 1U);
        EXPECT_EQ(stored()[0].state, KeyState::Pending);
    }
    for (auto& held : mt.held) {
        held.confirmed = true;
    }
    const auto outcome = run(); // back at the right MT
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->kind, Outcome::Kind::Resumed);
    EXPECT_EQ(stored().at(0).state, KeyState::Confirmed);
}

// An active key that works comes first: no B-TID leaves in clear, and no trouble with CONFIRM ends
// the run.
TEST_F(ProcedureTest, ActiveKeyBeforeThePendingOneOfAnotherMt) {
    using enum FakeMt::OnConfirm;
    establish_first();
    key_center.change = [](keycenter::KeyAnswer& answer) { answer.mt_id = "mt-two"; };
    settings.renew = true;
    mt.on_confirm = {LoseLink, LoseLink, LoseLink};
    ASSERT_FALSE(run());
    ASSERT_EQ(stored().size(), 2U);
    settings.renew = false;
    mt.confirms.clear();
    mt.on_confirm = {Trouble};
    const auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->mt_id, "mt-one");
    EXPECT_TRUE(mt.confirms.empty());
    EXPECT_EQ(stored().size(), 2U);
}

TEST_F(ProcedureTest, PendingKeyIsOfferedForAnHour) {
    using enum FakeMt::OnConfirm;
    mt.on_confirm = {LoseLinkAfterStoring, LoseLinkAfterStoring, LoseLinkAfterStoring};
    ASSERT_FALSE(run());
    auto keys = stored();
    ASSERT_EQ(keys.size(), 1U);
    keys[0].created -= std::chrono::hours(1);
    const auto est_id = keys[0].est_id;
    put(std::move(keys));
    mt.confirms.clear();
    const auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->kind, Outcome::Kind::Full);
    ASSERT_EQ(mt.confirms.size(), 1U);
    EXPECT_NE(mt.confirms[0].est_id, est_id);
}

TEST_F(ProcedureTest, RenewalRenewsAlthoughAKeyIsPending) {
    using enum FakeMt::OnConfirm;
    mt.on_confirm = {LoseLinkAfterStoring, LoseLinkAfterStoring, LoseLinkAfterStoring};
    ASSERT_FALSE(run());
    settings.renew = true;
    const auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->kind, Outcome::Kind::Full);
    ASSERT_EQ(stored().size(), 1U);
    EXPECT_EQ(stored()[0].b_tid, "new2@bsf.example.org");
}

TEST_F(ProcedureTest, TriesAllStoredKeysEightAtATime) {
    establish_first();
    auto keys = stored();
    for (int i = 0; i < 16; ++i) { // newer ones of MTs that are not here
        auto other = keys.front().clone();
        other.device_id = "elsewhere-" + std::to_string(i);
        other.ks_local_mt = test_key(other.device_id);
        other.confirmed += std::chrono::seconds(1);
        keys.push_back(std::move(other));
    }
    put(std::move(keys));
    const auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->mt_id, "mt-one");
    EXPECT_EQ(mt.resumes, 3);
    EXPECT_THAT(steps, ElementsAre(StoredKeyTried, StoredKeyAccepted));
}

TEST_F(ProcedureTest, PendingKeyThatTheMtDoesNotKnowMakesWay) {
    mt.on_confirm = {FakeMt::OnConfirm::LoseLink, FakeMt::OnConfirm::LoseLink,
                     FakeMt::OnConfirm::LoseLink};
    ASSERT_FALSE(run());
    mt.held.clear();
    const auto outcome = run();
    ASSERT_TRUE(outcome) << describe(outcome.error());
    EXPECT_EQ(outcome->kind, Outcome::Kind::Full);
    ASSERT_EQ(stored().size(), 1U);
    EXPECT_EQ(stored()[0].state, KeyState::Confirmed);
}

TEST_F(ProcedureTest, LostLinkIsTriedAgainTwice) {
    mt.lose_links = 2;
    EXPECT_TRUE(run());
    EXPECT_EQ(mt.connections, 3);
    mt.lose_links = 3;
    const auto outcome = run();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::LinkLost);
    EXPECT_EQ(mt.connections, 6);
}

TEST_F(ProcedureTest, ReportsThePhases) {
    ASSERT_TRUE(run());
    std::vector<std::string> names;
    for (const auto& [name, spent] : report.phases) {
        names.push_back(name);
        EXPECT_GE(spent.count(), 0);
    }
    EXPECT_THAT(names, ElementsAre("connect", "resume", "key_info", "establishment", "key_center",
                                   "confirmation"));
}

} // namespace
} // namespace mtkey::device
