// SPDX-License-Identifier: Apache-2.0
#include "run_fixture.hpp"

#include <gtest/gtest.h>

namespace mtkey::gba {
namespace {

// Threats C2: what the BSF may say about the end of Ks, and what comes of it here.

constexpr long kDay = 86400;
constexpr long kWeek = 7 * kDay;
constexpr long kYear = 365 * kDay;
constexpr const char* kRefused = "";

struct Row {
    const char* name;
    const char* lifetime;
    const char* current_time; ///< "" = the BSF does not say
    long cap;                 ///< seconds
    const char* expires;      ///< in the BSF's time, or kRefused
    long validity;            ///< seconds
};

/// The clock here stands at 2026-01-01T00:00:00Z.
constexpr std::array kRows{
    // within the cap
    Row{"one second", "2026-01-01T00:00:01Z", "", kWeek, "2026-01-01T00:00:01Z", 1},
    Row{"ten seconds", "2026-01-01T00:00:10Z", "", kWeek, "2026-01-01T00:00:10Z", 10},
    Row{"an hour", "2026-01-01T01:00:00Z", "", kWeek, "2026-01-01T01:00:00Z", 3600},
    Row{"a day", "2026-01-02T00:00:00Z", "", kWeek, "2026-01-02T00:00:00Z", kDay},
    Row{"the cap", "2026-01-08T00:00:00Z", "", kWeek, "2026-01-08T00:00:00Z", kWeek},
    Row{"a second below the cap", "2026-01-07T23:59:59Z", "", kWeek, "2026-01-07T23:59:59Z",
        kWeek - 1},
    Row{"fraction", "2026-01-01T00:00:10.999Z", "", kWeek, "2026-01-01T00:00:10Z", 10},
    Row{"long fraction", "2026-01-01T00:00:10.000000000000000001Z", "", kWeek,
        "2026-01-01T00:00:10Z", 10},
    Row{"white space", "\t 2026-01-01T00:00:10Z\r\n", "", kWeek, "2026-01-01T00:00:10Z", 10},
    Row{"over a leap day", "2028-03-01T00:00:00Z", "", 4 * kYear, "2028-03-01T00:00:00Z",
        (2 * 365 + 31 + 29) * kDay},
    Row{"a leap day", "2028-02-29T12:00:00Z", "", 4 * kYear, "2028-02-29T12:00:00Z",
        (2 * 365 + 31 + 28) * kDay + kDay / 2},
    Row{"2038", "2038-01-19T03:14:08Z", "", 20 * kYear, "2038-01-19T03:14:08Z",
        4401 * kDay + 3 * 3600 + 14 * 60 + 8},
    // clamped
    Row{"a second above the cap", "2026-01-08T00:00:01Z", "", kWeek, "2026-01-08T00:00:00Z", kWeek},
    Row{"a year", "2027-01-01T00:00:00Z", "", kWeek, "2026-01-08T00:00:00Z", kWeek},
    Row{"2038, clamped", "2038-01-19T03:14:08Z", "", kWeek, "2026-01-08T00:00:00Z", kWeek},
    Row{"2106", "2106-02-07T06:28:16Z", "", kWeek, "2026-01-08T00:00:00Z", kWeek},
    Row{"2262", "2262-04-11T23:47:17Z", "", kWeek, "2026-01-08T00:00:00Z", kWeek},
    Row{"9999", "9999-12-31T23:59:59Z", "", kWeek, "2026-01-08T00:00:00Z", kWeek},
    Row{"cap of a second", "9999-12-31T23:59:59Z", "", 1, "2026-01-01T00:00:01Z", 1},
    // over
    Row{"now", "2026-01-01T00:00:00Z", "", kWeek, kRefused, 0},
    Row{"now and a fraction", "2026-01-01T00:00:00.9Z", "", kWeek, kRefused, 0},
    Row{"a second ago", "2025-12-31T23:59:59Z", "", kWeek, kRefused, 0},
    Row{"1970", "1970-01-01T00:00:00Z", "", kWeek, kRefused, 0},
    // no time, or none in UTC
    Row{"1969", "1969-12-31T23:59:59Z", "", kWeek, kRefused, 0},
    Row{"1900", "1900-01-01T00:00:00Z", "", kWeek, kRefused, 0},
    Row{"year 0", "0000-01-01T00:00:00Z", "", kWeek, kRefused, 0},
    Row{"negative", "-2026-01-02T00:00:00Z", "", kWeek, kRefused, 0},
    Row{"year 10000", "10000-01-01T00:00:00Z", "", kWeek, kRefused, 0},
    Row{"no zone", "2026-01-02T00:00:00", "", kWeek, kRefused, 0},
    Row{"offset", "2026-01-02T00:00:00+01:00", "", kWeek, kRefused, 0},
    Row{"offset of nothing", "2026-01-02T00:00:00+00:00", "", kWeek, kRefused, 0},
    Row{"small z", "2026-01-02T00:00:00z", "", kWeek, kRefused, 0},
    Row{"leap second", "2026-12-31T23:59:60Z", "", kWeek, kRefused, 0},
    Row{"24 o'clock", "2026-01-01T24:00:00Z", "", kWeek, kRefused, 0},
    Row{"minute 60", "2026-01-01T00:60:00Z", "", kWeek, kRefused, 0},
    Row{"29 February", "2027-02-29T00:00:00Z", "", kWeek, kRefused, 0},
    Row{"31 April", "2026-04-31T00:00:00Z", "", kWeek, kRefused, 0},
    Row{"month 0", "2026-00-01T00:00:00Z", "", kWeek, kRefused, 0},
    Row{"month 13", "2026-13-01T00:00:00Z", "", kWeek, kRefused, 0},
    Row{"day 0", "2026-01-00T00:00:00Z", "", kWeek, kRefused, 0},
    Row{"date alone", "2026-01-02", "", kWeek, kRefused, 0},
    Row{"time alone", "12:00:00Z", "", kWeek, kRefused, 0},
    Row{"duration", "PT24H", "", kWeek, kRefused, 0},
    Row{"seconds", "86400", "", kWeek, kRefused, 0},
    Row{"HTTP-date", "Fri, 02 Jan 2026 00:00:00 GMT", "", kWeek, kRefused, 0},
    Row{"empty fraction", "2026-01-02T00:00:00.Z", "", kWeek, kRefused, 0},
    Row{"sign in a field", "2026-01-02T+1:00:00Z", "", kWeek, kRefused, 0},
    Row{"empty", "", "", kWeek, kRefused, 0},
    // by the BSF's own time
    Row{"currenttime as here", "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", kWeek,
        "2026-01-02T00:00:00Z", kDay},
    Row{"BSF ten years behind", "2016-01-01T01:00:00Z", "2016-01-01T00:00:00Z", kWeek,
        "2016-01-01T01:00:00Z", 3600},
    Row{"BSF ten years ahead", "2036-01-01T01:00:00Z", "2036-01-01T00:00:00Z", kWeek,
        "2036-01-01T01:00:00Z", 3600},
    Row{"BSF in 1970", "1970-01-01T00:00:10Z", "1970-01-01T00:00:00Z", kWeek,
        "1970-01-01T00:00:10Z", 10},
    Row{"BSF at the end of time", "9999-12-31T23:59:59Z", "9999-12-31T23:59:49Z", kWeek,
        "9999-12-31T23:59:59Z", 10},
    Row{"from 1970 to 9999", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z", kWeek,
        "1970-01-08T00:00:00Z", kWeek},
    Row{"currenttime with a fraction", "2026-01-01T00:00:11Z", "2026-01-01T00:00:10.9Z", kWeek,
        "2026-01-01T00:00:11Z", 1},
    Row{"currenttime at lifetime", "2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", kWeek, kRefused,
        0},
    Row{"currenttime behind lifetime", "2026-01-02T00:00:00Z", "2026-01-02T00:00:01Z", kWeek,
        kRefused, 0},
    Row{"currenttime without zone", "2026-01-02T00:00:00Z", "2026-01-01T00:00:00", kWeek, kRefused,
        0},
    Row{"currenttime in 1969", "2026-01-02T00:00:00Z", "1969-12-31T23:59:59Z", kWeek, kRefused, 0},
};
static_assert(kRows.size() >= 40);

class Lifetime : public testing::TestWithParam<Row> {};
INSTANTIATE_TEST_SUITE_P(Table, Lifetime, testing::ValuesIn(kRows),
                         [](const auto& instance) { return std::to_string(instance.index); });

TEST_P(Lifetime, IsJudged) {
    const auto& row = GetParam();
    SCOPED_TRACE(row.name);
    RunFixture run;
    run.settings.lifetime_cap = std::chrono::seconds(row.cap);
    run.http.expect(HttpRequest{}, unauthorized(kGbaU.nonce()));
    run.card.expect(dd_command(), dd_answer());
    const std::string now = row.current_time;
    run.http.expect(accepting(
        kGbaU.res(), document(row.lifetime, now.empty() ? ""
                                                        : "<Extension><currenttime>" + now +
                                                              "</currenttime></Extension>")));
    const auto context = run.start();
    EXPECT_TRUE(run.finished()) << run.card.trouble();
    if (std::string_view(row.expires).empty()) {
        ASSERT_FALSE(context);
        EXPECT_EQ(context.error().code, Errc::BsfBadAnswer);
        return;
    }
    ASSERT_TRUE(context) << describe(context.error());
    EXPECT_EQ(format_utc(context->expires()), row.expires);
    const std::chrono::seconds validity(row.validity);
    EXPECT_EQ(context->left(run.clock), validity);
    run.clock.advance(validity - std::chrono::seconds(1));
    EXPECT_TRUE(context->valid(run.clock));
    run.clock.advance(std::chrono::seconds(1));
    EXPECT_FALSE(context->valid(run.clock));
}

} // namespace
} // namespace mtkey::gba
