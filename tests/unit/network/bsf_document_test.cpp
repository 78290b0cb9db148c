// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/bsf_document.hpp"

#include "base/http_date.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

namespace mtkey::bsf {
namespace {

TEST(BsfDocument, WorkedExample) {
    const auto example = vectors::load("worked_example.json");
    EXPECT_EQ(bsf_document(std::string(example["btid"]),
                           parse_utc(std::string(example["lifetime"])).value()),
              example["bsf_200_body"]);
}

// Source: TS 24.109 annex A.3 (the first), RFC 9110 section 5.6.7 (the second), date -u -d (the
// rest).
TEST(BsfDocument, HttpDates) {
    const std::pair<const char*, const char*> rows[] = {
        {"2004-01-08T10:23:17Z", "Thu, 08 Jan 2004 10:23:17 GMT"},
        {"1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 GMT"},
        {"1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"2024-02-29T23:59:59Z", "Thu, 29 Feb 2024 23:59:59 GMT"},
        {"2038-01-19T03:14:08Z", "Tue, 19 Jan 2038 03:14:08 GMT"},
        {"2100-12-31T12:00:00Z", "Fri, 31 Dec 2100 12:00:00 GMT"},
    };
    for (const auto& [utc, http] : rows) {
        EXPECT_EQ(http_date(parse_utc(utc).value()), http);
    }
}

} // namespace
} // namespace mtkey::bsf
