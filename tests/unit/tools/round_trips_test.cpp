// SPDX-License-Identifier: Apache-2.0
#include "tools/mtkey-card/round_trips.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace mtkey::tools {
namespace {

TEST(RoundTrips, are_summarised_by_nearest_rank) {
    std::vector<double> times;
    for (int i = 100; i >= 1; --i) {
        times.push_back(i);
    }
    const auto summary = summarise(times);
    EXPECT_EQ(summary["count"], 100);
    EXPECT_EQ(summary["min"], 1.0);
    EXPECT_EQ(summary["p50"], 50.0);
    EXPECT_EQ(summary["p90"], 90.0);
    EXPECT_EQ(summary["p99"], 99.0);
    EXPECT_EQ(summary["max"], 100.0);
    EXPECT_EQ(summary["mean"], 50.5);
}

TEST(RoundTrips, every_one_is_in_one_class) {
    for (const auto& times : std::vector<std::vector<double>>{
             {1.0}, {0.0, 0.0}, {1.0, 1.0, 1.0}, {0.1, 1.0, 10.0, 100.0}, {3.0, 2.0, 1.0}}) {
        std::size_t sum = 0;
        const auto summary = summarise(times);
        for (const auto& one : summary["histogram"]) {
            sum += one["count"].get<std::size_t>();
            EXPECT_LT(one["from"].get<double>(), one["to"].get<double>());
        }
        EXPECT_EQ(sum, times.size());
    }
    EXPECT_EQ(summarise({})["count"], 0);
    EXPECT_FALSE(summarise({}).contains("p50"));
}

TEST(RoundTrips, the_longest_bar_fills_the_width_and_a_single_one_is_seen) {
    std::vector<double> times(1000, 1.0);
    times.push_back(100.0);
    const auto plot = plot_of(summarise(times), 40);
    EXPECT_EQ(std::ranges::count(plot, '\n'), 12);
    EXPECT_EQ(std::ranges::count(plot, '#'), 40 + 1);
    EXPECT_NE(plot.find(std::string(40, '#') + " 1000\n"), std::string::npos);
    EXPECT_NE(plot.find("|# 1\n"), std::string::npos);
    EXPECT_EQ(plot_of(summarise({}), 40), "");
}

TEST(RoundTrips, the_table_has_a_row_for_each_kind) {
    const auto table = table_of({{"STATUS", summarise({1.0})}, {"none", summarise({})}});
    EXPECT_EQ(std::ranges::count(table, '\n'), 2);
    EXPECT_NE(table.find("STATUS"), std::string::npos);
}

} // namespace
} // namespace mtkey::tools
