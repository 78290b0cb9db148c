// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace mtkey::bsf {

/// What is counted since the program started; like the log, one for the process.
enum class Count : std::uint8_t {
    Challenges,
    BootstrappedGbaMe,
    BootstrappedGbaU,
    Resynchronisations,
    RefusedMalformed,
    RefusedStranger,
    RefusedTmpi,
    RefusedNonce,
    RefusedResponse,
    RefusedAuts,
    RefusedOutOfSync,
    NotServed,
    Last = NotServed,
};
/// Safe from every thread.
void count(Count what);
/// An answer on Zn.
void count_zn(unsigned status);

/// What stands now.
struct Gauges {
    std::size_t open_challenges = 0;
    std::size_t contexts = 0;
};
/// The text format of Prometheus, version 0.0.4. Every series is there from the start.
inline constexpr const char* kMetricsType = "text/plain; version=0.0.4";
std::string write_metrics(const Gauges& gauges);

} // namespace mtkey::bsf
