// SPDX-License-Identifier: Apache-2.0
#include "base/steps.hpp"

#include <gtest/gtest.h>
#include <string>
#include <unistd.h>
#include <vector>

namespace mtkey {
namespace {

TEST(Steps, EveryNumberOfTheDraftStandsOnce) {
    std::vector<int> full(19);
    std::vector<int> optimised(17);
    for (int i = 0; i <= static_cast<int>(Step::Completed); ++i) {
        const auto& row = info(static_cast<Step>(i));
        ++full.at(static_cast<std::size_t>(row.full));
        ++optimised.at(static_cast<std::size_t>(row.optimised));
    }
    for (std::size_t i = 1; i < full.size(); ++i) {
        EXPECT_EQ(full[i], 1) << "5.5.2 step " << i;
    }
    for (std::size_t i = 1; i < optimised.size(); ++i) {
        EXPECT_EQ(optimised[i], 1) << "5.5.3 step " << i;
    }
}

TEST(Steps, AreJsonLines) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    set_step_fd(ends[1]);
    emit_step(Step::MtKeyDerived, {{"fingerprint", "0011"}, {"odd", "a\"b\\c\n"}});
    set_step_fd(-1);
    emit_step(Step::Completed);
    ::close(ends[1]);
    char buffer[1000];
    const auto got = ::read(ends[0], buffer, sizeof buffer);
    ::close(ends[0]);
    ASSERT_GT(got, 0);
    const std::string line(buffer, static_cast<std::size_t>(got));
    EXPECT_TRUE(line.starts_with(
        "{\"step\":\"mt-key-derived\",\"full\":9,\"optimised\":7,\"party\":\"mt\""))
        << line;
    EXPECT_TRUE(line.ends_with("\"fingerprint\":\"0011\",\"odd\":\"a\\\"b\\\\c?\"}\n")) << line;
}

} // namespace
} // namespace mtkey
