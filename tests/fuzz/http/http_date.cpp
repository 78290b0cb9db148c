// SPDX-License-Identifier: Apache-2.0
// Retry-After and the dates of HTTP.
#include "base/http_date.hpp"
#include "base/bytes.hpp"

#include <cstdlib>

using namespace mtkey;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = as_text({data, size});
    constexpr UtcTime kNow{std::chrono::seconds(1'800'000'000)};
    const auto delay = parse_retry_after(text, kNow);
    if (delay && (*delay < std::chrono::seconds(0) || *delay > kLongestRetryAfter)) {
        std::abort();
    }
    if (const auto time = parse_http_date(text)) {
        // What was read can be written, and says the same.
        if (*time < UtcTime{} || !delay || parse_http_date(http_date(*time)) != *time) {
            std::abort();
        }
    }
    return 0;
}
