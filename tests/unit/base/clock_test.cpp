// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <gtest/gtest.h>

namespace mtkey {
namespace {

// Seconds computed with `date -u -d ... +%s` (GNU coreutils).
const std::pair<const char*, std::int64_t> kTimes[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"2000-02-29T23:59:59Z", 951868799},
    {"2030-01-01T12:00:00Z", 1893499200},
    {"2038-01-19T03:14:08Z", 2147483648},
    {"9999-12-31T23:59:59Z", 253402300799},
};

TEST(Clock, UtcBothWays) {
    for (const auto& [text, seconds] : kTimes) {
        const auto parsed = parse_utc(text);
        ASSERT_TRUE(parsed) << text;
        EXPECT_EQ(parsed->time_since_epoch().count(), seconds);
        EXPECT_EQ(format_utc(*parsed), text);
    }
}

TEST(Clock, FractionIsDropped) {
    EXPECT_EQ(*parse_utc("2030-01-01T12:00:00.999Z"), *parse_utc("2030-01-01T12:00:00Z"));
}

TEST(Clock, RefusesEverythingElse) {
    for (const char* bad :
         {"", "2030-01-01", "2030-01-01T12:00:00", "2030-01-01T12:00:00+00:00",
          "2030-02-30T12:00:00Z", "2030-13-01T12:00:00Z", "2030-00-01T12:00:00Z",
          "2030-01-01T24:00:00Z", "2030-01-01T12:60:00Z", "2030-01-01T12:00:60Z",
          "1969-12-31T23:59:59Z", "2030-01-01T12:00:00.Z", "2030-01-01T12:00:00.5xZ",
          "2030-01-01 12:00:00Z", "+2030-01-01T12:00:00Z", "2030-1-1T12:00:00ZZZZ",
          "2030-01-01T12:00:00,5Z", "-030-01-01T12:00:00Z", "2030-01-01T12:00:00Z "}) {
        EXPECT_FALSE(parse_utc(bad)) << bad;
    }
}

TEST(Clock, SystemClockMoves) {
    const SystemClock clock;
    EXPECT_GT(clock.utc_now().time_since_epoch().count(), 1'700'000'000);
    EXPECT_LE(clock.boot_now(), clock.boot_now());
}

} // namespace
} // namespace mtkey
