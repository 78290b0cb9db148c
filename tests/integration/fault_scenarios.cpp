// SPDX-License-Identifier: Apache-2.0
#include "integration/fault_scenarios.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace mtkey::integration {
namespace {

using Pin = Scenario::Pin;
constexpr const char* kPin = "1234";
constexpr const char* kWrongPin = "4321";

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

/// The daemon starts anew, and the card still has its Ks.
void restarted(FaultRig& rig) {
    bootstrapped(rig);
    rig.restart();
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
void resumed(FaultRig& rig) {
    rig.insert();
    optimised(rig);
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

constexpr std::array kAll{
    Scenario{"gba_u_full", "GBA_U full", true, true, Pin::None, used_before, full, 1},
    Scenario{"gba_u_full_shared", "GBA_U full", true, false, Pin::None, used_before, full, 1},
    Scenario{"gba_u_forced", "GBA_U full", true, true, Pin::None, bootstrapped, forced, 1},
    Scenario{"optimised", "optimised", true, true, Pin::None, used_before, optimised_from_power_up,
             5},
    Scenario{"optimised_shared", "optimised", true, false, Pin::None, bootstrapped, optimised, 4},
    Scenario{"optimised_gba_me", "optimised", false, false, Pin::None, used_before,
             optimised_from_power_up, 5},
    Scenario{"resumed", "optimised", true, true, Pin::None, restarted, resumed, 4},
    Scenario{"resumed_shared", "optimised", true, false, Pin::None, restarted, resumed, 4},
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

} // namespace

std::ostream& operator<<(std::ostream& out, const Scenario& scenario) {
    return out << scenario.name;
}

std::span<const Scenario> scenarios() {
    return kAll;
}

const Scenario& scenario(std::string_view name) {
    return *std::ranges::find(kAll, name, &Scenario::name);
}

PinFiles::PinFiles() {
    folder_ = testing::TempDir() + "/pin.XXXXXX";
    if (mkdtemp(folder_.data()) == nullptr) {
        std::abort();
    }
    for (const auto pin : {Pin::Right, Pin::Wrong}) {
        std::ofstream(path(pin)) << (pin == Pin::Right ? kPin : kWrongPin) << "\n";
        std::filesystem::permissions(path(pin), std::filesystem::perms::owner_read |
                                                    std::filesystem::perms::owner_write);
    }
}

PinFiles::~PinFiles() {
    std::filesystem::remove_all(folder_);
}

std::string PinFiles::path(Pin pin) const {
    return folder_ + (pin == Pin::Right ? "/right" : "/wrong");
}

FaultColumn::FaultColumn(const Scenario& scenario, testbed::Protocol protocol, const PinFiles& pins,
                         FaultSeed seed)
    : scenario_(scenario) {
    setting_.card_has_gba = scenario.card_has_gba;
    setting_.exclusive = scenario.exclusive;
    setting_.protocol = protocol;
    setting_.seed = seed;
    if (scenario.pin != Pin::None) {
        setting_.pin = kPin;
        setting_.pin_file = pins.path(scenario.pin);
    }
}

unsigned FaultColumn::exchanges() const {
    FaultRig rig(setting_);
    scenario_.prepare(rig);
    const auto keys = rig.keys();
    rig.reader().plan(nullptr, 0);
    scenario_.run(rig);
    const auto out = rig.reader().exchanges();
    EXPECT_EQ(rig.keys() - keys, scenario_.keys);
    rig.expect_recovery(false);
    return out;
}

bool FaultColumn::run(const Fault& fault, unsigned at) const {
    FaultRig rig(setting_);
    scenario_.prepare(rig);
    rig.reader().plan(&fault, at);
    scenario_.run(rig);
    const auto hit = rig.reader().hit();
    const bool spoilt = rig.reader().spoilt();
    SCOPED_TRACE(testing::Message() << "exchange " << at << " (INS " << std::hex
                                    << unsigned{hit.ins} << "), " << fault.name);
    EXPECT_NE(hit.ins, 0) << "the fault was never met";
    rig.mend(fault);
    rig.expect_recovery(scenario_.pin == Pin::Wrong || hit.verify);
    return spoilt;
}

} // namespace mtkey::integration
