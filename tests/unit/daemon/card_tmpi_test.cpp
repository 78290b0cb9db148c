// SPDX-License-Identifier: Apache-2.0
// What the daemon keeps of one bootstrapping for the next, and how long.
#include "unit/daemon/card_fixture.hpp"

#include <gtest/gtest.h>

namespace mtkey::daemon {
namespace {

using namespace std::chrono_literals;

/// Exchanges of one more run: 2, or 3 when the BSF is shown a TMPI that it has forgotten.
unsigned exchanges_of_a_run(CardRig& rig) {
    const auto before = rig.exchanges;
    rig.interruption.arm();
    const auto done = rig.work.bootstrap(true);
    EXPECT_TRUE(done) << describe(done.error());
    return rig.exchanges - before;
}

TEST(CardTmpi, IsKeptAsLongAsTheCardIsThere) {
    Config config;
    config.gba.tmpi = gba::TmpiPolicy::Always;
    const auto rig = make_rig(std::nullopt, config);
    EXPECT_EQ(exchanges_of_a_run(*rig), 2U);
    EXPECT_EQ(rig->derivations, 1U); // GBA_U: the price
    EXPECT_EQ(exchanges_of_a_run(*rig), 2U) << "the BSF knows it";
    rig->clock.advance(25h); // the BSF forgets
    EXPECT_EQ(exchanges_of_a_run(*rig), 3U) << "it was not shown";

    rig->clock.advance(25h);
    ++rig->insertions;
    rig->work.readers_changed(rig->report(false));
    ++rig->insertions;
    rig->work.readers_changed(rig->report());
    EXPECT_EQ(exchanges_of_a_run(*rig), 2U) << "it has outlived its card";
}

TEST(CardTmpi, IsNotMadeUnlessWanted) {
    const auto rig = make_rig();
    EXPECT_EQ(exchanges_of_a_run(*rig), 2U);
    rig->clock.advance(25h);
    EXPECT_EQ(exchanges_of_a_run(*rig), 2U);
    EXPECT_EQ(rig->derivations, 0U);
}

} // namespace
} // namespace mtkey::daemon
