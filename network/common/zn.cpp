// SPDX-License-Identifier: Apache-2.0
#include "network/common/zn.hpp"

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace mtkey::network {

bool parse_json(std::string_view text, int deepest, nlohmann::json& out) {
    using nlohmann::json;
    std::vector<std::set<std::string>> names;
    bool good = true;
    const auto check = [&](int depth, json::parse_event_t event, json& value) {
        if (event == json::parse_event_t::object_start) {
            names.emplace_back();
        } else if (event == json::parse_event_t::object_end) {
            names.pop_back();
        } else if (event == json::parse_event_t::key) {
            good = names.back().insert(value.get_ref<const std::string&>()).second && good;
        }
        good = good && depth <= deepest;
        return true;
    };
    out = json::parse(text, check, false);
    return !out.is_discarded() && good;
}

} // namespace mtkey::network
