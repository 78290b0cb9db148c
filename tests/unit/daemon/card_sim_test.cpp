// SPDX-License-Identifier: Apache-2.0
// A SIM in the reader: used with gba.allow_2g alone, and only when it is sure that it is none.
#include "unit/daemon/card_fixture.hpp"

#include <gtest/gtest.h>

namespace mtkey::daemon {
namespace {

using namespace std::chrono_literals;
using State = CardState::State;

constexpr std::uint8_t kClassOfSim = 0xA0;

Config with_2g() {
    Config config;
    config.gba.allow_2g = true;
    config.bsf.tls = true;
    return config;
}

/// The rig's card is a SIM.
std::unique_ptr<CardRig> sim_rig(Config config, std::optional<std::string> chv1 = {}) {
    auto rig = std::make_unique<CardRig>(chv1, std::move(config),
                                         [](testbed::CardProfile& profile) { profile.sim = true; });
    rig->work.readers_changed(rig->report());
    return rig;
}
/// What comes a second later: the card has been reset.
void look_again(CardRig& rig) {
    ASSERT_TRUE(rig.work.retry_at());
    rig.clock.advance(1s);
    rig.work.retry();
}

TEST(SimInReader, WithTheSwitchOffItIsNoUicc) {
    const auto rig = sim_rig({});
    unsigned of_sim = 0;
    rig->on_command = [&](ByteView command) { of_sim += command[0] == kClassOfSim ? 1U : 0U; };
    look_again(*rig);
    EXPECT_EQ(of_sim, 0U);
    const auto state = rig->work.state();
    EXPECT_EQ(state.state, State::Failed);
    ASSERT_TRUE(state.last_error);
    EXPECT_NE(describe(*state.last_error).find("gba.allow_2g"), std::string::npos);
    EXPECT_FALSE(rig->work.retry_at()) << "it stays what it is";
}

TEST(SimInReader, BootstrapsAndDerives) {
    const auto rig = sim_rig(with_2g());
    EXPECT_EQ(rig->work.state().state, State::Failed) << "not at the first look";
    look_again(*rig);
    ASSERT_EQ(rig->work.state().state, State::Ready);
    EXPECT_FALSE(rig->work.state().gba);
    ASSERT_TRUE(rig->work.bootstrap(false));
    EXPECT_EQ(rig->exchanges, 2U);
    EXPECT_EQ(rig->authenticates, 1U);
    const auto state = rig->work.state();
    ASSERT_TRUE(state.context);
    EXPECT_EQ(state.mode, gba::Mode::Gba2g);
    EXPECT_EQ(rig->work.statistics().at("gba_2g_runs"), 1U);
    EXPECT_EQ(rig->work.statistics().at("gba_me_runs"), 0U);
    const auto key = rig->work.naf_key(CardRig::naf_id(), rig->b_tid());
    ASSERT_TRUE(key) << describe(key.error());
    EXPECT_EQ(key->mode, gba::Mode::Gba2g);
    // The BSF has the same Ks.
    const auto at_bsf = rig->store.find(rig->b_tid());
    ASSERT_TRUE(at_bsf);
    EXPECT_TRUE(key->ks_naf ==
                kdf::ks_ext_naf(at_bsf->ks, at_bsf->rand, at_bsf->impi, CardRig::naf_id()).value());
}

TEST(SimInReader, NoChallengeWithoutTls) {
    auto config = with_2g();
    config.bsf.tls = false; // the configuration's reader would have refused it
    const auto rig = sim_rig(config);
    look_again(*rig);
    EXPECT_EQ(rig->work.bootstrap(false).error().code, Errc::BsfRejected) << "our BSF refuses too";
    EXPECT_EQ(rig->authenticates, 0U);
}

TEST(SimInReader, UiccInAGsmSessionIsNotTakenForOne) {
    // Somebody has left it there: class 00 is refused until the reset.
    auto rig = std::make_unique<CardRig>(std::nullopt, with_2g());
    rig->on_answer = [](ByteView, SecretBytes) { return SecretBytes(Bytes{0x6E, 0x00}); };
    rig->work.readers_changed(rig->report());
    EXPECT_EQ(rig->work.state().state, State::Failed);
    rig->on_answer = {};
    rig->on_command = [](ByteView command) { EXPECT_NE(command[0], kClassOfSim); };
    look_again(*rig);
    EXPECT_EQ(rig->work.state().state, State::Ready);
}

TEST(SimInReader, SleepEndsItsBootstrapping) {
    const auto rig = sim_rig(with_2g());
    look_again(*rig);
    ASSERT_TRUE(rig->work.bootstrap(false));
    rig->work.fall_asleep();
    rig->work.wake_up();
    EXPECT_FALSE(rig->work.state().context);
}

TEST(SimInReader, Chv1ByTheUserAndSharedUse) {
    auto config = with_2g();
    config.uicc.exclusive = false;
    const auto rig = sim_rig(config, "1234");
    look_again(*rig);
    ASSERT_EQ(rig->work.state().state, State::PinRequired);
    EXPECT_EQ(rig->work.state().pin_attempts_left, 3);
    EXPECT_EQ(rig->work.send_pin(SecretBytes(as_octets("4321"))).error().code, Errc::PinIncorrect);
    EXPECT_EQ(rig->work.state().pin_attempts_left, 2);
    ASSERT_TRUE(rig->work.send_pin(SecretBytes(as_octets("1234"))));
    EXPECT_EQ(rig->work.state().state, State::Ready);
    // The card was reset behind us: DF_GSM and CHV1 again.
    const auto done = rig->work.bootstrap(false);
    ASSERT_TRUE(done) << describe(done.error());
    EXPECT_EQ(rig->verifies, 3U);
}

TEST(SimInReader, AnotherIccidIsWanted) {
    auto config = with_2g();
    config.uicc.iccid = "8900101000000000026";
    const auto rig = sim_rig(config, "1234");
    look_again(*rig);
    EXPECT_EQ(rig->work.state().state, State::Failed);
    EXPECT_EQ(rig->verifies, 0U);
}

} // namespace
} // namespace mtkey::daemon
