// SPDX-License-Identifier: Apache-2.0
#include "tools/mtkey-card/round_trips.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

namespace mtkey::tools {
namespace {
using nlohmann::json;

constexpr std::size_t kClasses = 12;

/// Nearest rank; `sorted` is not empty.
double percentile(const std::vector<double>& sorted, double share) {
    const auto rank = std::ceil(share * static_cast<double>(sorted.size()));
    return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

json histogram(const std::vector<double>& sorted) {
    const double low = std::max(sorted.front(), 0.001);
    const double high = std::max(sorted.back(), low * 1.001);
    const double factor = std::pow(high / low, 1.0 / kClasses);
    auto out = json::array();
    std::size_t begin = 0;
    for (std::size_t i = 0; i < kClasses; ++i) {
        const double from = low * std::pow(factor, static_cast<double>(i));
        const double to = from * factor;
        auto end = begin;
        while (end < sorted.size() && (sorted[end] < to || i + 1 == kClasses)) {
            ++end;
        }
        out.push_back({{"from", from}, {"to", to}, {"count", end - begin}});
        begin = end;
    }
    return out;
}

[[gnu::format(printf, 2, 3)]] void print(std::string& out, const char* format, ...) {
    std::array<char, 160> line{};
    std::va_list parts;
    va_start(parts, format);
    std::vsnprintf(line.data(), line.size(), format, parts);
    va_end(parts);
    out += line.data();
}
} // namespace

json summarise(std::vector<double> milliseconds) {
    if (milliseconds.empty()) {
        return {{"count", 0}};
    }
    std::ranges::sort(milliseconds);
    const double sum = std::accumulate(milliseconds.begin(), milliseconds.end(), 0.0);
    return {{"count", milliseconds.size()},
            {"min", milliseconds.front()},
            {"p50", percentile(milliseconds, 0.50)},
            {"p90", percentile(milliseconds, 0.90)},
            {"p99", percentile(milliseconds, 0.99)},
            {"max", milliseconds.back()},
            {"mean", sum / static_cast<double>(milliseconds.size())},
            {"histogram", histogram(milliseconds)}};
}

std::string table_of(const json& summaries) {
    std::string out;
    print(out, "%-14s %6s %8s %8s %8s %8s %8s %8s\n", "ms", "count", "min", "p50", "p90", "p99",
          "max", "mean");
    for (const auto& [name, one] : summaries.items()) {
        if (one["count"] == 0) {
            continue;
        }
        const auto value = [&one](const char* key) { return one[key].get<double>(); };
        print(out, "%-14s %6d %8.2f %8.2f %8.2f %8.2f %8.2f %8.2f\n", name.c_str(),
              one["count"].get<int>(), value("min"), value("p50"), value("p90"), value("p99"),
              value("max"), value("mean"));
    }
    return out;
}

std::string plot_of(const json& summary, unsigned width) {
    std::string out;
    if (!summary.contains("histogram")) {
        return out;
    }
    std::size_t most = 1;
    for (const auto& one : summary["histogram"]) {
        most = std::max(most, one["count"].get<std::size_t>());
    }
    for (const auto& one : summary["histogram"]) {
        const auto count = one["count"].get<std::size_t>();
        // What is there is seen, however few.
        const auto bar = (count * width + most - 1) / most;
        print(out, "%8.2f ms |", one["from"].get<double>());
        out += std::string(bar, '#');
        out += count == 0 ? "\n" : " " + std::to_string(count) + "\n";
    }
    return out;
}

} // namespace mtkey::tools
