// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "integration/fault_rig.hpp"

#include <ostream>
#include <span>
#include <string>
#include <string_view>

namespace mtkey::integration {

/// `prepare` goes well always, and is not counted; whatever becomes of `run` is for the rig to
/// judge, and without a fault it derives `keys` keys.
struct Scenario {
    enum class Pin { None, Right, Wrong }; ///< of the daemon's file
    const char* name;
    const char* group; ///< which of the six
    bool card_has_gba;
    bool exclusive;
    Pin pin;
    void (*prepare)(FaultRig& rig);
    void (*run)(FaultRig& rig);
    unsigned keys;
};
std::ostream& operator<<(std::ostream& out, const Scenario& scenario);

[[nodiscard]] std::span<const Scenario> scenarios();
[[nodiscard]] const Scenario& scenario(std::string_view name);

/// A right PIN and a wrong one, each in a file as the daemon wants it. Owns their folder.
class PinFiles {
public:
    PinFiles();
    ~PinFiles();
    PinFiles(const PinFiles&) = delete;
    PinFiles& operator=(const PinFiles&) = delete;
    [[nodiscard]] std::string path(Scenario::Pin pin) const;

private:
    std::string folder_;
};

/// One scenario over one protocol: a row of the matrix for each of its exchanges.
class FaultColumn {
public:
    FaultColumn(const Scenario& scenario, testbed::Protocol protocol, const PinFiles& pins,
                FaultSeed seed = FaultSeed::None);
    /// How many exchanges a run without a fault takes.
    [[nodiscard]] unsigned exchanges() const;
    /// The run with `fault` at exchange `at`, and the next ones without it. False when the fault
    /// changed nothing.
    [[nodiscard]] bool run(const Fault& fault, unsigned at) const;

private:
    const Scenario& scenario_;
    FaultSetting setting_;
};

} // namespace mtkey::integration
