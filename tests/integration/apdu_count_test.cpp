// SPDX-License-Identifier: Apache-2.0
// The APDUs of a GBA_U bootstrapping with a warm application, counted at the card (design: the
// minimum is AUTHENTICATE(DD), SELECT and UPDATE of EF_GBABP, AUTHENTICATE(DE); T=0 fetches each
// answer of AUTHENTICATE by a GET RESPONSE).
#include "integration/fault_rig.hpp"

#include <gtest/gtest.h>

namespace mtkey::integration {
namespace {

class ApduCount : public testing::TestWithParam<testbed::Protocol> {};

TEST_P(ApduCount, WarmBootstrappingIsTheMinimum) {
    const bool t0 = GetParam() == testbed::Protocol::T0;
    FaultSetting setting;
    setting.protocol = GetParam();
    FaultRig rig(setting);
    rig.insert();
    for (const bool force : {false, true, true}) { // the first one finds no EF_GBABP content
        rig.reader().plan(nullptr, 0);
        const auto apdus = rig.work().statistics().at("apdus");
        ASSERT_TRUE(rig.bootstrap(force));
        EXPECT_EQ(rig.reader().exchanges(), t0 ? 4U : 3U);
        ASSERT_TRUE(rig.naf_key(FaultRig::naf_id(1)));
        EXPECT_EQ(rig.reader().exchanges(), t0 ? 6U : 4U);
        EXPECT_EQ(rig.work().statistics().at("apdus") - apdus, t0 ? 6U : 4U);
        // A key that is cached costs none, another NAF's one command.
        ASSERT_TRUE(rig.naf_key(FaultRig::naf_id(1)));
        EXPECT_EQ(rig.reader().exchanges(), t0 ? 6U : 4U);
        ASSERT_TRUE(rig.naf_key(FaultRig::naf_id(2)));
        EXPECT_EQ(rig.reader().exchanges(), t0 ? 8U : 5U);
    }
    EXPECT_EQ(rig.keys(), 9U);
}

TEST_P(ApduCount, ResumingCostsReadingEfGbabpAndOneDerivation) {
    const bool t0 = GetParam() == testbed::Protocol::T0;
    FaultSetting setting;
    setting.protocol = GetParam();
    FaultRig rig(setting);
    rig.insert();
    ASSERT_TRUE(rig.bootstrap());
    const auto b_tid = rig.b_tid();
    rig.restart();
    rig.reader().plan(nullptr, 0);
    rig.insert();
    EXPECT_EQ(rig.b_tid(), b_tid);
    const auto resuming = rig.reader().exchanges();
    rig.pull();
    rig.reader().plan(nullptr, 0);
    rig.insert(); // nothing to resume, and nothing is read for it
    EXPECT_EQ(rig.b_tid(), "");
    EXPECT_EQ(resuming - rig.reader().exchanges(), t0 ? 5U : 3U);
}

INSTANTIATE_TEST_SUITE_P(Protocols, ApduCount,
                         testing::Values(testbed::Protocol::T0, testbed::Protocol::T1),
                         [](const auto& instance) {
                             return instance.param == testbed::Protocol::T0 ? "T0" : "T1";
                         });

} // namespace
} // namespace mtkey::integration
