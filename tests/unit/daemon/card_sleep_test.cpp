// SPDX-License-Identifier: Apache-2.0
// The system sleeps: what becomes of card and keys.
#include "unit/daemon/card_fixture.hpp"

#include <gtest/gtest.h>

namespace mtkey::daemon {
namespace {

using namespace std::chrono_literals;
using State = CardState::State;

class CardSleep : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(rig->work.bootstrap(false));
        b_tid = rig->b_tid();
        ASSERT_FALSE(b_tid.empty());
        rig->work.fall_asleep();
    }
    bool wiped() { return rig->work.discard(b_tid).error().code == Errc::NotFound; }

    std::unique_ptr<CardRig> rig = make_rig();
    std::string b_tid;
};

TEST_F(CardSleep, NothingIsDoneWithTheCardMeanwhile) {
    EXPECT_EQ(rig->work.state().state, State::NoCard);
    EXPECT_EQ(rig->b_tid(), "");
    const auto connects = rig->connects;
    rig->work.readers_changed(rig->report());
    EXPECT_EQ(rig->work.bootstrap(false).error().code, Errc::NotReady);
    EXPECT_EQ(rig->work.naf_key(CardRig::naf_id(), b_tid).error().code, Errc::NotReady);
    rig->work.retry();
    EXPECT_EQ(rig->connects, connects);
}

TEST_F(CardSleep, TheSameCardGoesOn) {
    rig->clock.advance(8h);
    rig->work.wake_up();
    EXPECT_EQ(rig->work.state().state, State::Ready);
    EXPECT_EQ(rig->b_tid(), b_tid);
    const auto exchanges = rig->exchanges;
    EXPECT_TRUE(rig->work.bootstrap(false));
    EXPECT_TRUE(rig->work.naf_key(CardRig::naf_id(), b_tid));
    EXPECT_EQ(rig->exchanges, exchanges) << "no run";
}

TEST_F(CardSleep, AReaderThatComesBackLaterHoldsTheSameCard) {
    for (const bool report_first : {true, false}) {
        ++rig->insertions;
        if (report_first) {
            rig->work.readers_changed(rig->report());
        }
        rig->work.wake_up();
        rig->clock.advance(2s);
        ++rig->insertions;
        rig->work.readers_changed({.service = true, .readers = {}});
        EXPECT_EQ(rig->b_tid(), "");
        rig->work.readers_changed(rig->report());
        EXPECT_EQ(rig->work.state().state, State::Ready);
        EXPECT_EQ(rig->b_tid(), b_tid);
        rig->work.fall_asleep();
    }
}

TEST_F(CardSleep, ACardThatIsTakenOutIsGone) {
    rig->work.readers_changed(rig->report(false));
    EXPECT_TRUE(wiped()) << "while it sleeps";
}

TEST_F(CardSleep, ACardThatIsTakenOutAfterwardsIsGone) {
    rig->work.wake_up();
    ASSERT_EQ(rig->b_tid(), b_tid);
    rig->work.readers_changed(rig->report(false));
    EXPECT_TRUE(wiped());
}

TEST_F(CardSleep, NafKeysAreDerivedAnew) {
    rig->work.wake_up();
    ASSERT_TRUE(rig->work.naf_key(CardRig::naf_id(), b_tid));
    const auto derivations = rig->derivations;
    ASSERT_TRUE(rig->work.naf_key(CardRig::naf_id(), b_tid));
    EXPECT_EQ(rig->derivations, derivations) << "cached";
    rig->work.fall_asleep();
    rig->work.wake_up();
    ASSERT_TRUE(rig->work.naf_key(CardRig::naf_id(), b_tid));
    EXPECT_GT(rig->derivations, derivations);
}

TEST(CardSleepGbaMe, KsIsNotTakenToBed) {
    Config config;
    config.gba.mode = gba::ModePolicy::MeOnly;
    CardRig rig({}, config, [](testbed::CardProfile& profile) { profile.gba = false; });
    rig.work.readers_changed(rig.report());
    ASSERT_TRUE(rig.work.bootstrap(false));
    const auto b_tid = rig.b_tid();
    rig.work.fall_asleep();
    EXPECT_EQ(rig.work.discard(b_tid).error().code, Errc::NotFound);
    rig.work.wake_up();
    EXPECT_EQ(rig.work.state().state, State::Ready);
}

TEST_F(CardSleep, AnotherCardDoesNot) {
    rig->more_cards.emplace("reader", isim_only("8900101000000000026"));
    rig->work.wake_up();
    EXPECT_EQ(rig->work.state().state, State::Ready);
    EXPECT_EQ(rig->b_tid(), "");
    EXPECT_TRUE(wiped());
}

TEST_F(CardSleep, NorAKsThatIsAnother) {
    rig->bootstrap_elsewhere();
    rig->work.wake_up();
    EXPECT_EQ(rig->work.state().state, State::Ready);
    EXPECT_TRUE(wiped());
}

TEST_F(CardSleep, AReaderMayTakeTenSecondsToComeBack) {
    rig->connect_error = Error{Errc::NoReader, 0, "reader"};
    rig->work.wake_up();
    rig->clock.advance(9s);
    rig->connect_error.reset();
    rig->work.retry();
    EXPECT_EQ(rig->b_tid(), b_tid);
}

TEST_F(CardSleep, NoLonger) {
    rig->connect_error = Error{Errc::NoReader, 0, "reader"};
    rig->work.wake_up();
    rig->clock.advance(10s);
    rig->work.retry();
    EXPECT_TRUE(wiped());
}

TEST_F(CardSleep, EndsByItselfWhenNobodySaysSo) {
    ASSERT_TRUE(rig->work.retry_at());
    EXPECT_EQ(*rig->work.retry_at() - rig->clock.boot_now(), 60s);
    rig->clock.advance(60s);
    rig->work.retry();
    EXPECT_EQ(rig->work.state().state, State::Ready);
    EXPECT_EQ(rig->b_tid(), b_tid);
    rig->work.wake_up(); // late
    EXPECT_EQ(rig->b_tid(), b_tid);
}

TEST_F(CardSleep, OrWithTheNextJob) {
    rig->clock.advance(8h);
    EXPECT_TRUE(rig->work.naf_key(CardRig::naf_id(), b_tid));
}

TEST_F(CardSleep, KeysThatEndMeanwhileHaveEnded) {
    rig->clock.advance(25h);
    rig->work.wake_up();
    EXPECT_EQ(rig->work.state().state, State::Ready);
    EXPECT_EQ(rig->work.naf_key(CardRig::naf_id(), b_tid).error().code, Errc::BtidStale);
}

} // namespace
} // namespace mtkey::daemon
