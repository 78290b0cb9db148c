// SPDX-License-Identifier: Apache-2.0
// Every exchange of every scenario goes wrong in every way (threats U2, U8): the real card worker's
// work, the real library and BSF, the simulated card, below pcscd because there are thousands.
#include "base/log.hpp"
#include "integration/fault_rig.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <memory>
#include <set>

namespace mtkey::integration {
namespace {

constexpr const char* kPin = "1234";
constexpr const char* kWrongPin = "4321";

enum class Pin { None, Right, Wrong };

/// `prepare` goes well always, and is not counted; whatever becomes of `run` is for the rig to
/// judge, and without a fault it derives `keys` keys.
struct Scenario {
    const char* name;
    const char* group; ///< which of the six
    bool card_has_gba;
    bool exclusive;
    Pin pin;
    void (*prepare)(FaultRig& rig);
    void (*run)(FaultRig& rig);
    unsigned keys;
};

std::ostream& operator<<(std::ostream& out, const Scenario& scenario) {
    return out << scenario.name;
}

/// The card comes with the Ks and the EF_GBABP of an earlier bootstrapping, the daemon with what it
/// remembers of it.
void used_before(FaultRig& rig) {
    rig.insert();
    ASSERT_TRUE(rig.bootstrap());
    ASSERT_TRUE(rig.naf_key(FaultRig::naf_id(1)));
    rig.pull();
}
void used_before_and_ahead(FaultRig& rig) {
    used_before(rig);
    rig.desynchronise();
}
void nothing(FaultRig& /*rig*/) {}

void bootstrapped(FaultRig& rig) {
    rig.insert();
    ASSERT_TRUE(rig.bootstrap());
    ASSERT_TRUE(rig.naf_key(FaultRig::naf_id(1)));
}

/// A client asks for what it wants and goes on whatever it gets.
void ask(FaultRig& rig, bool force) {
    const auto old = rig.b_tid();
    (void)rig.bootstrap(force);
    (void)rig.naf_key(FaultRig::naf_id(1));
    if (!old.empty()) {
        (void)rig.naf_key(FaultRig::naf_id(2), old);
    }
}
void power_up(FaultRig& rig) {
    rig.insert();
}
void full(FaultRig& rig) {
    rig.insert();
    ask(rig, false);
}
void forced(FaultRig& rig) {
    ask(rig, true);
}
void optimised(FaultRig& rig) {
    const auto b_tid = rig.b_tid();
    for (const unsigned number : {1U, 2U, 3U, 1U}) { // cached, new, new, cached
        (void)rig.naf_key(FaultRig::naf_id(number), b_tid);
    }
}
void optimised_from_power_up(FaultRig& rig) {
    full(rig);
    optimised(rig);
}
void wrong_pin(FaultRig& rig) {
    rig.insert();
    (void)rig.bootstrap();
    (void)rig.bootstrap(true);
    (void)rig.send_pin(kPin);
    ask(rig, false);
}

constexpr std::array kScenarios{
    Scenario{"gba_u_full", "GBA_U full", true, true, Pin::None, used_before, full, 1},
    Scenario{"gba_u_full_shared", "GBA_U full", true, false, Pin::None, used_before, full, 1},
    Scenario{"gba_u_forced", "GBA_U full", true, true, Pin::None, bootstrapped, forced, 1},
    Scenario{"optimised", "optimised", true, true, Pin::None, used_before, optimised_from_power_up,
             5},
    Scenario{"optimised_shared", "optimised", true, false, Pin::None, bootstrapped, optimised, 4},
    Scenario{"optimised_gba_me", "optimised", false, false, Pin::None, used_before,
             optimised_from_power_up, 5},
    Scenario{"gba_me_full", "GBA_ME full", false, true, Pin::None, used_before, full, 1},
    Scenario{"gba_me_forced", "GBA_ME full", false, true, Pin::None, bootstrapped, forced, 1},
    Scenario{"resynchronisation", "resynchronisation", true, true, Pin::None, used_before_and_ahead,
             full, 1},
    Scenario{"resynchronisation_gba_me", "resynchronisation", false, true, Pin::None,
             used_before_and_ahead, full, 1},
    Scenario{"pin", "PIN", true, true, Pin::Right, used_before, full, 1},
    Scenario{"pin_shared", "PIN", true, false, Pin::Right, used_before, full, 1},
    Scenario{"pin_wrong", "PIN", true, true, Pin::Wrong, nothing, wrong_pin, 1},
    Scenario{"power_up", "power-up read", true, true, Pin::None, used_before, power_up, 0},
    Scenario{"power_up_first", "power-up read", true, true, Pin::None, nothing, power_up, 0},
};

struct Counted {
    std::size_t scenarios = 0;
    std::set<std::string> groups{};
    unsigned exchanges = 0;
    unsigned combinations = 0;
    unsigned cases = 0;
};
Counted counted;

class FaultMatrix : public testing::TestWithParam<Scenario> {
protected:
    static void SetUpTestSuite() {
        set_log_level(LogLevel{}); // each case would say its error
        std::string name = testing::TempDir() + "/pin.XXXXXX";
        folder = mkdtemp(name.data());
        for (const auto* digits : {kPin, kWrongPin}) {
            std::ofstream(folder + "/" + digits) << digits << "\n";
            std::filesystem::permissions(folder + "/" + digits,
                                         std::filesystem::perms::owner_read |
                                             std::filesystem::perms::owner_write);
        }
    }
    static void TearDownTestSuite() {
        std::filesystem::remove_all(folder);
        set_log_level(LogLevel::Info);
        std::printf("fault matrix: %zu scenarios, %u exchanges, %u combinations, %u cases\n",
                    counted.scenarios, counted.exchanges, counted.combinations, counted.cases);
        EXPECT_EQ(counted.combinations, counted.exchanges * kFaultKinds);
        EXPECT_GE(counted.cases, counted.combinations);
        if (counted.scenarios == kScenarios.size()) { // all of the six, no filter
            EXPECT_EQ(counted.groups.size(), 6U);
            EXPECT_GE(counted.combinations, 1800U);
        }
    }
    static FaultSetting setting() {
        const auto& scenario = GetParam();
        FaultSetting out;
        out.card_has_gba = scenario.card_has_gba;
        out.exclusive = scenario.exclusive;
        if (scenario.pin != Pin::None) {
            out.pin = kPin;
            out.pin_file = folder + "/" + (scenario.pin == Pin::Right ? kPin : kWrongPin);
        }
        return out;
    }
    /// How many exchanges a run without a fault takes.
    static unsigned length() {
        FaultRig rig(setting());
        GetParam().prepare(rig);
        const auto keys = rig.keys();
        rig.reader().plan(nullptr, 0);
        GetParam().run(rig);
        const auto exchanges = rig.reader().exchanges();
        EXPECT_EQ(rig.keys() - keys, GetParam().keys);
        rig.expect_recovery(false);
        return exchanges;
    }
    /// False when the fault changed nothing.
    static bool one_case(const Fault& fault, unsigned at) {
        FaultRig rig(setting());
        GetParam().prepare(rig);
        rig.reader().plan(&fault, at);
        GetParam().run(rig);
        const auto hit = rig.reader().hit();
        const bool spoilt = rig.reader().spoilt();
        SCOPED_TRACE(testing::Message() << "exchange " << at << " (INS " << std::hex
                                        << unsigned{hit.ins} << "), " << fault.name);
        EXPECT_NE(hit.ins, 0) << "the fault was never met";
        rig.mend(fault);
        rig.expect_recovery(GetParam().pin == Pin::Wrong || hit.verify);
        return spoilt;
    }
    static inline std::string folder;
};

TEST_P(FaultMatrix, EveryExchangeEveryFault) {
    const auto exchanges = length();
    ASSERT_GT(exchanges, 0U);
    unsigned cases = 0;
    std::set<std::pair<unsigned, FaultKind>> combinations;
    for (unsigned at = 0; at < exchanges; ++at) {
        for (const auto& fault : kFaults) {
            if (one_case(fault, at)) {
                ++cases;
                combinations.emplace(at, fault.kind);
            }
        }
    }
    EXPECT_EQ(combinations.size(), exchanges * kFaultKinds);
    std::printf("fault matrix: %-17s %-25s %3u exchanges x %zu kinds = %4zu combinations, %4u "
                "cases\n",
                GetParam().group, GetParam().name, exchanges, kFaultKinds, combinations.size(),
                cases);
    ++counted.scenarios;
    counted.groups.insert(GetParam().group);
    counted.exchanges += exchanges;
    counted.combinations += static_cast<unsigned>(combinations.size());
    counted.cases += cases;
    RecordProperty("cases", static_cast<int>(cases));
}

INSTANTIATE_TEST_SUITE_P(Scenarios, FaultMatrix, testing::ValuesIn(kScenarios),
                         [](const auto& instance) { return std::string(instance.param.name); });

} // namespace
} // namespace mtkey::integration
