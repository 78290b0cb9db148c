// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace mtkey::tools {

/// Milliseconds of one kind of command: {"count","min","p50","p90","p99","max","mean","histogram":
/// [{"from","to","count"}]}. The classes of the histogram grow by equal factors. `count` 0 alone
/// when there is none.
[[nodiscard]] nlohmann::json summarise(std::vector<double> milliseconds);

/// The summaries as a table, and their histograms as bars of at most `width` characters.
[[nodiscard]] std::string table_of(const nlohmann::json& summaries);
[[nodiscard]] std::string plot_of(const nlohmann::json& summary, unsigned width);

} // namespace mtkey::tools
