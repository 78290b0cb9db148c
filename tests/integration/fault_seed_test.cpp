// SPDX-License-Identifier: Apache-2.0
// The matrix is worth what its judge sees: with a bug put in, it must find it.
#include "base/log.hpp"
#include "integration/fault_scenarios.hpp"

#include <algorithm>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <string>

namespace mtkey::integration {
namespace {

struct Seeded {
    const char* name;
    FaultSeed seed;
    const char* scenario;
    testbed::Protocol protocol;
    const char* finding; ///< what the judge says, in part
};
std::ostream& operator<<(std::ostream& out, const Seeded& seeded) {
    return out << seeded.name;
}

class FaultSeedTest : public testing::TestWithParam<Seeded> {
protected:
    void SetUp() override { set_log_level(LogLevel{}); }
    void TearDown() override { set_log_level(LogLevel::Info); }
    /// All that the judge objects to, a line each: the answer is lost at every exchange, and the
    /// next one gets through.
    static std::string findings(FaultSeed seed) {
        const PinFiles pins;
        const FaultColumn column(scenario(GetParam().scenario), GetParam().protocol, pins, seed);
        testing::TestPartResultArray found;
        {
            const testing::ScopedFakeTestPartResultReporter instead(
                testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &found);
            const auto exchanges = column.exchanges();
            for (unsigned at = 0; at < exchanges; ++at) {
                for (const auto& fault : kFaults) {
                    if (fault.kind == FaultKind::CommError) {
                        (void)column.run(fault, at);
                    }
                }
            }
        }
        std::string out;
        for (int i = 0; i < found.size(); ++i) {
            out += std::string(found.GetTestPartResult(i).message()) + "\n";
        }
        return out;
    }
};

TEST_P(FaultSeedTest, IsFound) {
    EXPECT_EQ(findings(FaultSeed::None), "");
    EXPECT_NE(findings(GetParam().seed).find(GetParam().finding), std::string::npos);
}

using testbed::Protocol;
INSTANTIATE_TEST_SUITE_P(Bugs, FaultSeedTest,
                         testing::Values(Seeded{"HalfWritten", FaultSeed::LostUpdate,
                                                "gba_u_forced", Protocol::T0,
                                                "half-written: EF_GBABP holds another B-TID"},
                                         Seeded{"WrongKey", FaultSeed::OldKey, "gba_u_forced",
                                                Protocol::T1, "a wrong key"},
                                         Seeded{"PinTwice", FaultSeed::RepeatedVerify, "pin_wrong",
                                                Protocol::T0, "a refused PIN was shown again"}),
                         [](const auto& instance) { return std::string(instance.param.name); });

} // namespace
} // namespace mtkey::integration
