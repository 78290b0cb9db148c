// SPDX-License-Identifier: Apache-2.0
// What the card worker does, against the simulated card and our BSF in one thread.
#include "unit/daemon/card_fixture.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace mtkey::daemon {
namespace {

using namespace std::chrono_literals;
using State = CardState::State;

const Error kUnreachable{Errc::BsfUnreachable, 0, "bsf"};

TEST(CardWork, BootstrapsAndDerives) {
    const auto rig = make_rig();
    EXPECT_EQ(rig->work.state().state, State::Ready);
    rig->interruption.arm();
    ASSERT_TRUE(rig->work.bootstrap(false));
    EXPECT_EQ(rig->exchanges, 2U);
    const auto first = rig->b_tid();
    ASSERT_TRUE(rig->work.bootstrap(false)) << "the present one is good";
    EXPECT_EQ(rig->b_tid(), first);
    EXPECT_EQ(rig->exchanges, 2U);
    const auto key = rig->work.naf_key(CardRig::naf_id(), first);
    ASSERT_TRUE(key) << describe(key.error());
    EXPECT_EQ(key->b_tid, first);
    EXPECT_EQ(rig->work.naf_key(CardRig::naf_id(), "other").error().code, Errc::BtidStale);
}

TEST(CardWork, DiscardMeansOneSession) {
    const auto rig = make_rig();
    ASSERT_TRUE(rig->work.bootstrap(false));
    EXPECT_EQ(rig->work.discard("another").error().code, Errc::NotFound);
    EXPECT_NE(rig->b_tid(), "");
    EXPECT_TRUE(rig->work.discard(rig->b_tid()));
    EXPECT_EQ(rig->b_tid(), "");
}

TEST(CardWork, ForcedRunThatFailsEarlyHarmsNobody) {
    const auto rig = make_rig();
    ASSERT_TRUE(rig->work.bootstrap(false));
    const auto before = rig->b_tid();
    const auto authenticates = rig->authenticates;
    rig->on_exchange = [] { return std::optional(kUnreachable); };
    EXPECT_EQ(rig->work.bootstrap(true).error().code, Errc::BsfUnreachable);
    EXPECT_EQ(rig->b_tid(), before);
    EXPECT_EQ(rig->authenticates, authenticates);
    EXPECT_EQ(rig->changes, 0U);
    EXPECT_TRUE(rig->work.naf_key(CardRig::naf_id(), before));
}

TEST(CardWork, OldBtidGoesWithTheCardsKs) {
    const auto rig = make_rig();
    ASSERT_TRUE(rig->work.bootstrap(false));
    std::string shown = "never told";
    rig->on_change = [&] { shown = rig->b_tid(); };
    const auto already = rig->exchanges;
    rig->on_exchange = [&]() -> std::optional<Error> {
        if (rig->exchanges == already + 2) { // the card has answered
            EXPECT_EQ(shown, "") << "known to all while the run goes on";
            return kUnreachable;
        }
        EXPECT_EQ(shown, "never told");
        return std::nullopt;
    };
    EXPECT_EQ(rig->work.bootstrap(true).error().code, Errc::BsfUnreachable);
    EXPECT_EQ(rig->b_tid(), "");
    EXPECT_EQ(rig->work.state().state, State::Ready);
}

TEST(CardWork, CancelIsNeverLost) {
    const auto rig = make_rig();
    const auto cancelled = [&] {
        const auto done = rig->work.bootstrap(false);
        EXPECT_FALSE(done);
        EXPECT_EQ(done ? Errc::Internal : done.error().code, Errc::Cancelled);
        EXPECT_EQ(rig->b_tid(), "");
        EXPECT_EQ(rig->work.state().state, State::Ready);
        EXPECT_FALSE(rig->interruption.cancel()) << "nothing left to cancel";
    };
    EXPECT_FALSE(rig->interruption.cancel()) << "nothing is queued";

    rig->interruption.arm();
    EXPECT_TRUE(rig->interruption.cancel()); // while it is queued
    cancelled();
    EXPECT_EQ(rig->exchanges, 0U);

    rig->interruption.arm();
    rig->on_exchange = [&]() -> std::optional<Error> { // during an exchange
        EXPECT_TRUE(rig->interruption.cancel());
        return std::nullopt;
    };
    cancelled();
    EXPECT_EQ(rig->exchanges, 1U);
    EXPECT_EQ(rig->authenticates, 0U);

    rig->interruption.arm();
    rig->on_exchange = {};
    rig->on_command = [&](ByteView command) { // while the card works
        if (command[1] == 0x88) {
            EXPECT_TRUE(rig->interruption.cancel());
        }
    };
    cancelled();
    EXPECT_GE(rig->authenticates, 1U);
    EXPECT_EQ(rig->updates, 0U) << "EF_GBABP is left alone";

    rig->interruption.arm();
    rig->on_command = [&](ByteView command) { // when nothing can stop it any more
        if (command[1] == 0xD6) {
            EXPECT_TRUE(rig->interruption.cancel());
        }
    };
    cancelled();
    EXPECT_EQ(rig->updates, 1U);

    rig->on_command = {};
    rig->interruption.arm();
    EXPECT_TRUE(rig->work.bootstrap(false)) << "the next one is another";
}

TEST(CardWork, CancelLeavesThePresentContextAlone) {
    const auto rig = make_rig();
    ASSERT_TRUE(rig->work.bootstrap(false));
    const auto before = rig->b_tid();
    rig->interruption.arm();
    EXPECT_TRUE(rig->interruption.cancel());
    EXPECT_EQ(rig->work.bootstrap(true).error().code, Errc::Cancelled);
    EXPECT_EQ(rig->b_tid(), before);
}

TEST(CardWork, CardThatLeavesEndsTheRun) {
    const auto rig = make_rig();
    ASSERT_TRUE(rig->work.bootstrap(false));
    const auto old = rig->b_tid();
    rig->interruption.arm();
    const auto already = rig->exchanges;
    rig->on_exchange = [&]() -> std::optional<Error> {
        EXPECT_FALSE(rig->interruption.card_left(rig->report())) << "it is still there";
        EXPECT_EQ(rig->b_tid(), old);
        EXPECT_TRUE(rig->interruption.card_left(rig->report(false)));
        EXPECT_TRUE(rig->bsf_cancelled);
        EXPECT_EQ(rig->b_tid(), "") << "at once, not at the end of the run";
        EXPECT_EQ(rig->work.state().state, State::NoCard);
        return std::nullopt;
    };
    EXPECT_EQ(rig->work.bootstrap(true).error().code, Errc::NoCard);
    EXPECT_EQ(rig->exchanges, already + 1);
    EXPECT_EQ(rig->work.naf_key(CardRig::naf_id(), old).error().code, Errc::NoCard);
    rig->work.readers_changed(rig->report(false));
    EXPECT_FALSE(rig->work.retry_at());
    rig->on_exchange = {};
    ++rig->insertions;
    EXPECT_FALSE(rig->interruption.card_left(rig->report()));
    rig->work.readers_changed(rig->report());
    EXPECT_TRUE(rig->work.bootstrap(false));
}

TEST(CardWork, ReportsThatWaitedAreNotBelieved) {
    const auto rig = std::make_unique<CardRig>(std::nullopt, Config{});
    const auto in = rig->report();
    EXPECT_FALSE(rig->interruption.card_left(in));
    EXPECT_FALSE(rig->interruption.card_left(rig->report(false)));
    rig->work.readers_changed(in); // the other one is still queued
    EXPECT_EQ(rig->connects, 0U);
    EXPECT_EQ(rig->work.state().state, State::NoCard);
}

TEST(CardWork, TriesAgainWithBackOff) {
    const auto rig = std::make_unique<CardRig>(std::nullopt, Config{});
    const auto from_now = [&] { return rig->work.retry_at().value() - rig->clock.boot_now(); };
    for (const auto code : {Errc::ReaderBusy, Errc::CardFailed, Errc::TimedOut}) {
        rig->connect_error = Error{code, 0, "test"};
        ++rig->insertions;
        rig->work.readers_changed(rig->report());
        EXPECT_EQ(from_now(), 1s);
        rig->work.retry();
        EXPECT_EQ(from_now(), 2s);
        for (int i = 0; i < 10; ++i) {
            rig->work.retry();
        }
        EXPECT_EQ(from_now(), 60s);
    }
    rig->connect_error.reset();
    rig->work.retry();
    EXPECT_EQ(rig->work.state().state, State::Ready);
    EXPECT_FALSE(rig->work.retry_at()) << "no wake-ups of an idle daemon";
    rig->work.readers_changed({.service = false, .readers = {}});
    EXPECT_FALSE(rig->work.retry_at());
}

uicc::ApplicationChoice chosen(std::string_view text) {
    return uicc::parse_application_choice(text).value();
}

void add_applications(testbed::CardProfile& profile) {
    profile.applications.resize(2);
    profile.applications[1].kind = testbed::ApplicationKind::Isim;
}

TEST(CardWork, IsimIsBootstrappedWithItsOwnFilesAndNames) {
    for (const bool isim : {false, true}) {
        Config config;
        config.uicc.application = chosen(isim ? "isim" : "auto");
        CardRig rig({}, config, add_applications);
        rig.work.readers_changed(rig.report());
        ASSERT_EQ(rig.work.state().state, State::Ready);
        ASSERT_TRUE(rig.work.bootstrap(false));
        EXPECT_EQ(rig.asked_bsf,
                  isim ? "bsf.ims.mnc001.mcc001.pub.3gppnetwork.org" : CardRig::bsf_fqdn());
        EXPECT_EQ(rig.updated_file, isim ? "6fd5" : "6fd6");
        EXPECT_TRUE(rig.work.naf_key(CardRig::naf_id(), rig.b_tid()));
    }
}

TEST(CardWork, IdentityIsThatOfTheApplication) {
    std::set<std::string> seen;
    for (const char* application : {"usim", "isim", "a0000000871004"}) {
        Config config;
        config.uicc.application = chosen(application);
        CardRig rig({}, config, [](testbed::CardProfile& profile) {
            add_applications(profile);
            profile.applications[1].impi = "user@operator.example";
        });
        rig.work.readers_changed(rig.report());
        ASSERT_EQ(rig.work.state().state, State::Ready);
        seen.insert(rig.work.state().uicc);
        rig.on_exchange = [] { return std::optional(kUnreachable); };
        EXPECT_FALSE(rig.work.bootstrap(false));
        EXPECT_EQ(rig.asked_bsf, application == std::string_view("usim") ? CardRig::bsf_fqdn()
                                                                         : "bsf.operator.example");
    }
    EXPECT_EQ(seen.size(), 2U);
}

TEST(CardWork, NoSuchApplicationIsNotReplacedByAnother) {
    Config config;
    config.uicc.application = chosen("isim");
    const auto rig = make_rig({}, config);
    EXPECT_EQ(rig->work.state().state, State::Failed);
    EXPECT_EQ(rig->work.state().last_error->code, Errc::NotSupportedByCard);
    EXPECT_FALSE(rig->work.retry_at());
}

TEST(CardWork, OnlyTheCardOfTheIccid) {
    Config config;
    config.uicc.iccid = CardRig::iccid();
    EXPECT_EQ(make_rig({}, config)->work.state().state, State::Ready);
    config.uicc.iccid = "8900101000000000026";
    const auto rig = make_rig("1234", config);
    EXPECT_EQ(rig->work.state().state, State::Failed) << "its PIN is not even asked about";
    EXPECT_EQ(rig->work.state().last_error->code, Errc::NotSupportedByCard);
    EXPECT_FALSE(rig->work.retry_at());
}

Config shared_card() {
    Config config;
    config.uicc.exclusive = false;
    return config;
}

TEST(CardWork, ExclusiveCardIsNotAskedForItsRand) {
    const auto rig = make_rig();
    const auto before = rig->reads;
    ASSERT_TRUE(rig->work.bootstrap(false));
    ASSERT_TRUE(rig->work.naf_key(CardRig::naf_id(), rig->b_tid()));
    EXPECT_EQ(rig->reads, before);
}

TEST(CardWork, SharedCardIsAskedBeforeUpdateAndAroundDerivation) {
    const auto rig = make_rig({}, shared_card());
    const auto before = rig->reads;
    ASSERT_TRUE(rig->work.bootstrap(false));
    EXPECT_EQ(rig->reads, before + 1);
    ASSERT_TRUE(rig->work.naf_key(CardRig::naf_id(), rig->b_tid()));
    EXPECT_EQ(rig->reads, before + 3);
}

TEST(CardWork, BtidIsNotWrittenBesideAnothersRand) {
    const auto rig = make_rig({}, shared_card());
    rig->on_exchange = [&]() -> std::optional<Error> {
        if (rig->exchanges == 2) {
            rig->bootstrap_elsewhere();
        }
        return std::nullopt;
    };
    EXPECT_EQ(rig->work.bootstrap(false).error().code, Errc::BtidStale);
    EXPECT_EQ(rig->updates, 0U);
    EXPECT_EQ(rig->b_tid(), "");
    EXPECT_EQ(rig->work.state().state, State::Ready);
    EXPECT_TRUE(rig->work.bootstrap(false));
}

TEST(CardWork, NoKeyOfAnothersKs) {
    for (const bool before : {true, false}) {
        const auto rig = make_rig({}, shared_card());
        ASSERT_TRUE(rig->work.bootstrap(false));
        const auto b_tid = rig->b_tid();
        bool done = false;
        rig->on_command = [&](ByteView command) {
            // With the application selected: before RAND is read, or when it has been.
            const bool now = before ? command[1] == 0xB0 : CardRig::is_derivation(command);
            if (now && !done) {
                done = true;
                rig->bootstrap_elsewhere();
            }
        };
        EXPECT_EQ(rig->work.naf_key(CardRig::naf_id(), b_tid).error().code, Errc::BtidStale);
        EXPECT_TRUE(done);
        EXPECT_EQ(rig->derivations, before ? 0U : 1U);
        EXPECT_EQ(rig->b_tid(), "") << "the context goes";
        EXPECT_EQ(rig->work.naf_key(CardRig::naf_id(), b_tid).error().code, Errc::BtidStale);
        ASSERT_TRUE(rig->work.bootstrap(false));
        EXPECT_TRUE(rig->work.naf_key(CardRig::naf_id(), rig->b_tid()));
    }
}

using Names = std::vector<std::string>;

TEST(CardWork, CardOfNoUseIsLeftAloneAndTheNextReaderTried) {
    Config config;
    config.uicc.application = chosen("usim");
    CardRig rig({}, config);
    rig.more_cards.emplace("a", isim_only("8900101000000000026"));
    rig.work.readers_changed(CardRig::report_of({{"a", 1}, {"reader", 1}}));
    EXPECT_EQ(rig.work.state().state, State::Ready);
    EXPECT_EQ(rig.work.state().reader, "reader");
    EXPECT_EQ(rig.connected, (Names{"a", "reader"}));
    EXPECT_EQ(rig.left_alone, Names{"a"});
    rig.work.readers_changed(CardRig::report_of({{"a", 1}, {"reader", 1}}));
    EXPECT_EQ(rig.connected.size(), 2U);

    rig.work.readers_changed(CardRig::report_of({{"a", 1}}));
    EXPECT_EQ(rig.connected.size(), 2U) << "known to be of no use";
    EXPECT_EQ(rig.work.state().state, State::Failed);
    EXPECT_EQ(rig.work.state().last_error->code, Errc::NotSupportedByCard);
    EXPECT_FALSE(rig.work.retry_at());
    EXPECT_EQ(rig.work.bootstrap(false).error().code, Errc::NotSupportedByCard);
    EXPECT_EQ(rig.connected.size(), 2U);
    EXPECT_FALSE(rig.work.retry_at());

    rig.work.readers_changed(CardRig::report_of({{"a", 3}}));
    EXPECT_EQ(rig.connected.size(), 3U) << "another card, for all we know";
    rig.work.readers_changed(CardRig::report_of({{"a", 3}, {"reader", 3}}));
    EXPECT_EQ(rig.work.state().state, State::Ready);
    EXPECT_EQ(rig.connected, (Names{"a", "reader", "a", "reader"}));
}

TEST(CardWork, CardThatLooksLikeNoUiccIsLookedAtTwice) {
    CardRig rig({}, {});
    rig.bank_cards = {"a"};
    rig.work.readers_changed(CardRig::report_of({{"a", 1}}));
    EXPECT_EQ(rig.work.state().state, State::Failed);
    ASSERT_TRUE(rig.work.retry_at());
    rig.work.retry();
    EXPECT_FALSE(rig.work.retry_at());
    EXPECT_EQ(rig.connected, (Names{"a", "a"}));
    EXPECT_EQ(rig.left_alone, rig.connected) << "somebody else's, never reset";
    rig.work.readers_changed(CardRig::report_of({{"a", 1}}));
    EXPECT_FALSE(rig.work.bootstrap(false));
    EXPECT_EQ(rig.connected.size(), 2U);
    EXPECT_FALSE(rig.work.retry_at());
}

TEST(CardWork, CardThatGotItsPinIsNotLeftOpen) {
    CardRig rig("1234", {}, [](testbed::CardProfile& profile) {
        testbed::FileProfile imsi;
        imsi.where = testbed::ApplicationKind::Usim;
        imsi.fid = 0x6F07;
        imsi.missing = true;
        profile.files.push_back(imsi);
    });
    rig.work.readers_changed(rig.report());
    ASSERT_EQ(rig.work.state().state, State::PinRequired);
    EXPECT_FALSE(rig.work.send_pin(SecretBytes(as_octets("1234"))));
    EXPECT_EQ(rig.verifies, 1U);
    EXPECT_EQ(rig.left_alone, Names{});
}

TEST(CardWork, ReaderThatFailsKeepsNobodyFromTheNext) {
    CardRig rig({}, {});
    rig.connect_errors["a"] = Error{Errc::CardFailed, 0, "a"};
    rig.connect_errors["b"] = Error{Errc::ReaderBusy, 0, "b"};
    rig.work.readers_changed(CardRig::report_of({{"a", 1}, {"b", 1}}));
    EXPECT_EQ(rig.work.state().reader, "a");
    EXPECT_EQ(rig.work.state().last_error->code, Errc::CardFailed);
    EXPECT_EQ(rig.work.retry_at().value() - rig.clock.boot_now(), 1s) << "one step a look";
    rig.work.readers_changed(CardRig::report_of({{"a", 1}, {"b", 1}}));
    EXPECT_EQ(rig.connected, (Names{"a", "b"})) << "nothing new";
    rig.work.readers_changed(CardRig::report_of({{"a", 1}, {"b", 1}, {"reader", 1}}));
    EXPECT_EQ(rig.work.state().state, State::Ready);
    EXPECT_EQ(rig.work.state().reader, "reader");
    EXPECT_TRUE(rig.work.bootstrap(false));
}

TEST(CardWork, TheIccidChoosesTheReader) {
    Config config;
    config.uicc.iccid = "8900101000000000026";
    CardRig rig("1234", config);
    rig.more_cards.emplace("b", isim_only("8900101000000000026"));
    rig.work.readers_changed(CardRig::report_of({{"reader", 1}, {"b", 1}}));
    EXPECT_EQ(rig.work.state().state, State::Ready);
    EXPECT_EQ(rig.work.state().reader, "b");
    EXPECT_EQ(rig.left_alone, Names{"reader"});
}

TEST(CardWork, ReadersThatMayNotBeUsedAreNot) {
    Config config;
    config.uicc.reader = "read*";
    config.uicc.ignore = {"reader 2*"};
    CardRig rig({}, config);
    rig.work.readers_changed(CardRig::report_of({{"other", 1}, {"reader 2", 1}}));
    EXPECT_EQ(rig.work.state().state, State::NoReader);
    CardRig any({}, {});
    any.work.readers_changed(CardRig::report_of({{"Virtual PCD 00 00", 1}}));
    EXPECT_EQ(any.work.state().state, State::NoReader);
    EXPECT_EQ(rig.connects + any.connects, 0U);
}

const uicc::ReaderReport kServiceAway{.service = false, .readers = {}};

TEST(CardWork, PcscdAwayForAMomentLosesNothing) {
    const auto rig = make_rig();
    ASSERT_TRUE(rig->work.bootstrap(false));
    const auto b_tid = rig->b_tid();
    ASSERT_TRUE(rig->work.naf_key(CardRig::naf_id(), b_tid));
    EXPECT_TRUE(rig->interruption.card_left(kServiceAway));
    rig->work.readers_changed(kServiceAway);
    EXPECT_EQ(rig->b_tid(), "") << "not used";
    EXPECT_EQ(rig->work.naf_key(CardRig::naf_id(), b_tid).error().code, Errc::NoReader);
    EXPECT_EQ(rig->work.state().state, State::NoReader);
    EXPECT_EQ(rig->work.retry_at().value() - rig->clock.boot_now(), 3s);
    rig->clock.advance(2s);
    rig->work.readers_changed({.service = true, .readers = {}}); // not found yet
    rig->clock.advance(999ms);
    EXPECT_FALSE(rig->interruption.card_left(rig->report()));
    rig->work.readers_changed(rig->report());
    EXPECT_EQ(rig->b_tid(), b_tid);
    EXPECT_FALSE(rig->work.retry_at());
    EXPECT_TRUE(rig->work.naf_key(CardRig::naf_id(), b_tid));
    EXPECT_TRUE(rig->work.bootstrap(false));
    EXPECT_EQ(rig->exchanges, 2U) << "one bootstrapping";
}

TEST(CardWork, PcscdAwayForLongIsTheEnd) {
    for (const bool in_time : {true, false}) {
        const auto rig = make_rig();
        ASSERT_TRUE(rig->work.bootstrap(false));
        const auto b_tid = rig->b_tid();
        rig->work.readers_changed(kServiceAway);
        rig->clock.advance(3s);
        if (in_time) { // else the wake-up comes late
            rig->work.retry();
            EXPECT_FALSE(rig->work.retry_at());
            EXPECT_EQ(rig->work.discard(b_tid).error().code, Errc::NotFound) << "wiped";
        }
        rig->work.readers_changed(rig->report());
        EXPECT_EQ(rig->work.state().state, State::Ready);
        EXPECT_EQ(rig->work.discard(b_tid).error().code, Errc::NotFound);
    }
}

TEST(CardWork, AfterPcscdOnlyTheSameCardGoesOn) {
    const auto rig = make_rig();
    ASSERT_TRUE(rig->work.bootstrap(false));
    auto b_tid = rig->b_tid();
    rig->work.readers_changed(kServiceAway);
    rig->bootstrap_elsewhere();
    rig->work.readers_changed(rig->report());
    EXPECT_EQ(rig->work.state().state, State::Ready);
    EXPECT_EQ(rig->work.discard(b_tid).error().code, Errc::NotFound) << "another Ks";

    ASSERT_TRUE(rig->work.bootstrap(false));
    b_tid = rig->b_tid();
    rig->work.readers_changed(kServiceAway);
    rig->more_cards.emplace("reader", isim_only("8900101000000000026"));
    rig->work.readers_changed(rig->report());
    EXPECT_EQ(rig->work.state().state, State::Ready);
    EXPECT_EQ(rig->work.discard(b_tid).error().code, Errc::NotFound) << "another card";
}

TEST(CardWork, CardRemovedInTheTimeOfGraceIsGone) {
    const auto rig = make_rig();
    ASSERT_TRUE(rig->work.bootstrap(false));
    const auto b_tid = rig->b_tid();
    rig->work.readers_changed(kServiceAway);
    rig->connect_error = Error{Errc::ReaderBusy, 0, "reader"};
    rig->work.readers_changed(rig->report());
    EXPECT_EQ(rig->work.retry_at().value() - rig->clock.boot_now(), 1s);
    rig->work.readers_changed(rig->report(false));
    EXPECT_FALSE(rig->work.retry_at());
    EXPECT_EQ(rig->work.discard(b_tid).error().code, Errc::NotFound);
}

TEST(CardWork, JobThatFindsPcscdGoneLosesNothing) {
    const auto rig = make_rig();
    ASSERT_TRUE(rig->work.bootstrap(false));
    const auto b_tid = rig->b_tid();
    rig->command_error = Error{Errc::NoReader, 0x8010001D, "reader"}; // SCARD_E_NO_SERVICE
    EXPECT_EQ(rig->work.naf_key(CardRig::naf_id(), b_tid).error().code, Errc::NoReader);
    EXPECT_EQ(rig->b_tid(), "");
    rig->command_error.reset();
    rig->clock.advance(1s);
    rig->work.retry();
    EXPECT_EQ(rig->b_tid(), b_tid);

    rig->command_error = Error{Errc::NoCard, 0x80100069, "reader"}; // SCARD_W_REMOVED_CARD
    EXPECT_EQ(rig->work.naf_key(CardRig::naf_id(), b_tid).error().code, Errc::NoCard);
    EXPECT_EQ(rig->work.discard(b_tid).error().code, Errc::NotFound);
}

TEST(CardWork, RunThatPcscdEndsHarmsNobody) {
    const auto rig = make_rig();
    ASSERT_TRUE(rig->work.bootstrap(false));
    const auto b_tid = rig->b_tid();
    rig->on_exchange = [&]() -> std::optional<Error> {
        EXPECT_TRUE(rig->interruption.card_left(kServiceAway));
        EXPECT_TRUE(rig->bsf_cancelled);
        return std::nullopt;
    };
    EXPECT_EQ(rig->work.bootstrap(true).error().code, Errc::NoReader);
    rig->work.readers_changed(kServiceAway);
    EXPECT_FALSE(rig->interruption.card_left(rig->report()));
    rig->work.readers_changed(rig->report());
    EXPECT_EQ(rig->b_tid(), b_tid);
}

class PinFile : public ::testing::TestWithParam<bool> {
protected:
    PinFile() {
        std::string name = ::testing::TempDir() + "/pin.XXXXXX";
        folder = mkdtemp(name.data());
        config.uicc.pin_file = folder + "/pin";
        config.uicc.exclusive = GetParam();
        write("1234");
    }
    ~PinFile() override { std::filesystem::remove_all(folder); }
    void write(const std::string& digits) const {
        std::ofstream(config.uicc.pin_file) << digits << "\n";
        std::filesystem::permissions(config.uicc.pin_file, std::filesystem::perms::owner_read |
                                                               std::filesystem::perms::owner_write);
    }
    std::string folder;
    Config config;
};

TEST_P(PinFile, RefusedPinIsNeverSentAgain) {
    write("4321");
    const auto rig = make_rig("1234", config);
    EXPECT_EQ(rig->work.state().state, State::PinRequired);
    EXPECT_EQ(rig->verifies, 1U);
    EXPECT_FALSE(rig->work.retry_at());
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(rig->work.bootstrap(false));
    }
    EXPECT_EQ(rig->verifies, 1U);
    EXPECT_EQ(rig->work.state().pin_attempts_left, 2);
}

TEST_P(PinFile, NorIsOneThatWasRightBefore) {
    const auto rig = make_rig("1234", config);
    ASSERT_EQ(rig->work.state().state, State::Ready);
    const auto before = rig->verifies;
    write("4321"); // somebody changed the file, or the card's PIN
    if (config.uicc.exclusive) {
        EXPECT_TRUE(rig->work.bootstrap(false));
        EXPECT_EQ(rig->verifies, before);
        return;
    }
    EXPECT_EQ(rig->work.bootstrap(false).error().code, Errc::PinIncorrect);
    EXPECT_EQ(rig->work.state().state, State::PinRequired);
    EXPECT_EQ(rig->verifies, before + 1);
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(rig->work.bootstrap(false));
    }
    EXPECT_EQ(rig->verifies, before + 1);
}

TEST_P(PinFile, GivenPinIsUsedAndNotKept) {
    config.uicc.pin_file.clear();
    const auto rig = make_rig("1234", config);
    ASSERT_EQ(rig->work.state().state, State::PinRequired);
    EXPECT_EQ(rig->work.send_pin(SecretBytes(as_octets("12"))).error().code, Errc::InvalidArgument);
    EXPECT_EQ(rig->verifies, 0U);
    EXPECT_EQ(rig->work.send_pin(SecretBytes(as_octets("4321"))).error().code, Errc::PinIncorrect);
    EXPECT_EQ(rig->verifies, 1U);
    EXPECT_FALSE(rig->work.bootstrap(false));
    EXPECT_EQ(rig->verifies, 1U) << "the wrong one is not kept";
    EXPECT_TRUE(rig->work.send_pin(SecretBytes(as_octets("1234"))));
    EXPECT_EQ(rig->work.state().state, State::Ready);
    EXPECT_TRUE(rig->work.bootstrap(false));
    EXPECT_EQ(rig->work.send_pin(SecretBytes(as_octets("1234"))).error().code, Errc::Rejected);
    ++rig->insertions;
    rig->work.readers_changed(rig->report());
    EXPECT_EQ(rig->work.state().state, State::PinRequired) << "not kept for another insertion";
}

TEST_P(PinFile, GivenPinsStopAtTheFloor) {
    config.uicc.pin_file.clear();
    const auto rig = make_rig("1234", config);
    for (int i = 0; i < 5; ++i) {
        EXPECT_FALSE(rig->work.send_pin(SecretBytes(as_octets("4321"))));
    }
    EXPECT_EQ(rig->verifies, 2U);
    EXPECT_EQ(rig->work.send_pin(SecretBytes(as_octets("1234"))).error().code, Errc::PinFloor);
}

INSTANTIATE_TEST_SUITE_P(Access, PinFile, ::testing::Bool(),
                         [](const auto& tested) { return tested.param ? "Exclusive" : "Shared"; });

} // namespace
} // namespace mtkey::daemon
