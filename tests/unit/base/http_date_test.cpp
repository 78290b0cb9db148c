// SPDX-License-Identifier: Apache-2.0
#include "base/http_date.hpp"

#include <gtest/gtest.h>

#include <array>

namespace mtkey {
namespace {

struct DateRow {
    const char* text;
    const char* utc; ///< "" = refused
};
constexpr std::array kDates{
    // the example of RFC 9110 section 5.6.7 in its three forms
    DateRow{"Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"},
    DateRow{"Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z"},
    DateRow{"Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37Z"},
    DateRow{"Thu Nov 24 05:06:07 2026", "2026-11-24T05:06:07Z"},
    DateRow{"Tuesday, 24-Nov-26 05:06:07 GMT", "2026-11-24T05:06:07Z"},
    DateRow{"Thu, 29 Feb 2024 23:59:59 GMT", "2024-02-29T23:59:59Z"},
    DateRow{"Sat, 31 Dec 2016 23:59:60 GMT", "2017-01-01T00:00:00Z"},
    DateRow{"Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59Z"},
    DateRow{"Mon, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"}, // a Sunday
    DateRow{"", ""},
    DateRow{"Sun, 06 Nov 1994 08:49:37", ""},
    DateRow{"Sun, 06 Nov 1994 08:49:37 UTC", ""},
    DateRow{"Sun, 06 Nov 1994 08:49:37 GMT ", ""},
    DateRow{" Sun, 06 Nov 1994 08:49:37 GMT", ""},
    DateRow{"sun, 06 nov 1994 08:49:37 gmt", ""},
    DateRow{"Sun, 6 Nov 1994 08:49:37 GMT", ""},
    DateRow{"Sun, 06 Nov 94 08:49:37 GMT", ""},
    DateRow{"Sun, 31 Feb 1994 08:49:37 GMT", ""},
    DateRow{"Sun, 00 Nov 1994 08:49:37 GMT", ""},
    DateRow{"Sun, 06 Nov 1994 24:00:00 GMT", ""},
    DateRow{"Sun, 06 Nov 1994 08:60:00 GMT", ""},
    DateRow{"Sun, 06 Nov 1994 08:49:61 GMT", ""},
    DateRow{"Sun, 06 Nov 1969 08:49:37 GMT", ""},
    DateRow{"Sun, 06 Nov -994 08:49:37 GMT", ""},
    DateRow{"Sun, 06 Non 1994 08:49:37 GMT", ""},
    DateRow{"Sun Nov 6 08:49:37 1994", ""},
    DateRow{"2026-01-01T00:00:00Z", ""},
};

TEST(HttpDate, Table) {
    for (const auto& row : kDates) {
        const auto time = parse_http_date(row.text);
        EXPECT_EQ(time ? format_utc(*time) : "", row.utc) << row.text;
    }
}

TEST(HttpDate, WhatIsWrittenIsRead) {
    for (const char* utc :
         {"1970-01-01T00:00:00Z", "2026-11-24T05:06:07Z", "2099-12-31T23:59:59Z"}) {
        const auto time = parse_utc(utc).value();
        EXPECT_EQ(parse_http_date(http_date(time)).value(), time);
    }
}

struct DelayRow {
    const char* value;
    long seconds; ///< -1 = refused
};
/// Now is 1994-11-06T08:49:37Z.
constexpr std::array kDelays{
    DelayRow{"0", 0},
    DelayRow{"1", 1},
    DelayRow{"120", 120},
    DelayRow{"0000000000000120", 120},
    DelayRow{"3600", 3600},
    DelayRow{"3601", 3600},
    DelayRow{"99999999999999999999999999999999999999", 3600},
    DelayRow{"Sun, 06 Nov 1994 08:49:37 GMT", 0},
    DelayRow{"Sun, 06 Nov 1994 08:49:36 GMT", 0},
    DelayRow{"Thu, 01 Jan 1970 00:00:00 GMT", 0},
    DelayRow{"Sun, 06 Nov 1994 08:50:37 GMT", 60},
    DelayRow{"Sunday, 06-Nov-94 08:50:37 GMT", 60},
    DelayRow{"Sun Nov  6 09:49:38 1994", 3600},
    DelayRow{"Fri, 31 Dec 9999 23:59:59 GMT", 3600},
    DelayRow{"", -1},
    DelayRow{"-1", -1},
    DelayRow{"+1", -1},
    DelayRow{"1.5", -1},
    DelayRow{"1 ", -1},
    DelayRow{"1s", -1},
    DelayRow{"0x10", -1},
    DelayRow{"soon", -1},
};

TEST(RetryAfter, Table) {
    const auto now = parse_utc("1994-11-06T08:49:37Z").value();
    for (const auto& row : kDelays) {
        const auto delay = parse_retry_after(row.value, now);
        EXPECT_EQ(delay ? delay->count() : -1, row.seconds) << row.value;
    }
}

} // namespace
} // namespace mtkey
