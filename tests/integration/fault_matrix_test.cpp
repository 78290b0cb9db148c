// SPDX-License-Identifier: Apache-2.0
// Every exchange of every scenario goes wrong in every way (threats U2, U8), on both protocols: the
// real card worker's work, the real library and BSF, the simulated card, below pcscd because there
// are thousands.
#include "base/log.hpp"
#include "integration/fault_scenarios.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <set>
#include <tuple>

namespace mtkey::integration {
namespace {

using testbed::Protocol;

const char* name_of(Protocol protocol) {
    return protocol == Protocol::T0 ? "T0" : "T1";
}

/// MTKEY_FAULT_STEP = 3: every third case, where each costs twenty times as much (sanitizers).
unsigned step() {
    const char* text = std::getenv("MTKEY_FAULT_STEP");
    return text != nullptr ? std::max(1U, static_cast<unsigned>(std::strtoul(text, nullptr, 10)))
                           : 1U;
}

// The protocol comes first: neighbours differ in their scenario, and two shards take half each.
class FaultMatrix : public testing::TestWithParam<std::tuple<Protocol, Scenario>> {
protected:
    static void SetUpTestSuite() {
        set_log_level(LogLevel{}); // each case would say its error
        pins.emplace();
    }
    static void TearDownTestSuite() {
        pins.reset();
        set_log_level(LogLevel::Info);
    }
    static inline std::optional<PinFiles> pins;
};

TEST_P(FaultMatrix, EveryExchangeEveryFault) {
    const auto& [protocol, scenario] = GetParam();
    const FaultColumn column(scenario, protocol, *pins);
    const auto exchanges = column.exchanges();
    ASSERT_GT(exchanges, 0U);
    unsigned cases = 0;
    unsigned number = 0;
    std::set<std::pair<unsigned, FaultKind>> combinations;
    for (unsigned at = 0; at < exchanges; ++at) {
        for (const auto& fault : kFaults) {
            if (number++ % step() == 0 && column.run(fault, at)) {
                ++cases;
                combinations.emplace(at, fault.kind);
            }
        }
    }
    EXPECT_GT(cases, 0U);
    if (step() == 1) {
        EXPECT_EQ(combinations.size(), exchanges * kFaultKinds);
    }
    std::printf("fault matrix: %s %-17s %-25s %3u exchanges x %zu kinds = %4zu combinations, %4u "
                "cases\n",
                name_of(protocol), scenario.group, scenario.name, exchanges, kFaultKinds,
                combinations.size(), cases);
    RecordProperty("cases", static_cast<int>(cases));
}

INSTANTIATE_TEST_SUITE_P(Scenarios, FaultMatrix,
                         testing::Combine(testing::Values(Protocol::T0, Protocol::T1),
                                          testing::ValuesIn(scenarios().begin(),
                                                            scenarios().end())),
                         [](const auto& instance) {
                             return std::string(name_of(std::get<0>(instance.param))) + "_" +
                                    std::get<1>(instance.param).name;
                         });

/// What the columns above add up to: each of them may run in a process of its own.
TEST(FaultMatrixSize, SixGroupsOnBothProtocols) {
    const PinFiles pins;
    for (const auto protocol : {Protocol::T0, Protocol::T1}) {
        std::set<std::string> groups;
        unsigned exchanges = 0;
        for (const auto& scenario : scenarios()) {
            groups.insert(scenario.group);
            exchanges += FaultColumn(scenario, protocol, pins).exchanges();
        }
        std::printf("fault matrix: %s %zu scenarios, %u exchanges, %zu combinations\n",
                    name_of(protocol), scenarios().size(), exchanges, exchanges * kFaultKinds);
        EXPECT_EQ(groups.size(), 6U);
        EXPECT_GE(exchanges * kFaultKinds, 1800U);
    }
}

} // namespace
} // namespace mtkey::integration
