// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tools/mtkey-card/card.hpp"

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace mtkey::tools {

struct ReaderTest {
    unsigned round_trips = 200; ///< of each kind
    unsigned resets = 5;
    bool removal = false; ///< somebody is there to pull the card and put it back
    std::chrono::seconds removal_limit{60};
    /// Tells the user what is done now, and what to do.
    std::function<void(const std::string&)> say = [](const std::string&) {};
    std::function<void(std::chrono::milliseconds)> wait = uicc::sleep_for_real;
};

/// Runs every check that this card and this reader allow; changes nothing on the card and shows no
/// PIN. A check that fails is a part of the report: {"place", "access", "checks": [{"name",
/// "outcome": passed|failed|skipped, "remark", "ms"}], "round_trips", "passed", "failed",
/// "skipped"}. An Error only when the card is not there any more.
[[nodiscard]] Result<nlohmann::json> test_reader(Card& card, const ReaderTest& options);
void show_reader_test(const nlohmann::json& report);

} // namespace mtkey::tools
