// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/metrics.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <string_view>

namespace mtkey::bsf {
namespace {

struct Row {
    Count what;
    std::string_view metric;
    std::string_view labels;
    std::string_view help; ///< with the first of a metric
};

using enum Count;
constexpr std::array kTable{
    Row{Challenges, "mtkey_bsf_challenges_total", "", "Challenges sent on Ub."},
    Row{BootstrappedGbaMe, "mtkey_bsf_bootstrappings_total", "{mode=\"gba-me\"}",
        "Runs of Ub that ended with a B-TID."},
    Row{BootstrappedGbaU, "mtkey_bsf_bootstrappings_total", "{mode=\"gba-u\"}", ""},
    Row{Resynchronisations, "mtkey_bsf_resynchronisations_total", "", "AUTS believed."},
    Row{RefusedMalformed, "mtkey_bsf_refusals_total", "{cause=\"malformed\"}",
        "Requests on Ub that led to no challenge and no B-TID."},
    Row{RefusedStranger, "mtkey_bsf_refusals_total", "{cause=\"unknown-subscriber\"}", ""},
    Row{RefusedTmpi, "mtkey_bsf_refusals_total", "{cause=\"unknown-tmpi\"}", ""},
    Row{RefusedNonce, "mtkey_bsf_refusals_total", "{cause=\"unknown-nonce\"}", ""},
    Row{RefusedResponse, "mtkey_bsf_refusals_total", "{cause=\"wrong-response\"}", ""},
    Row{RefusedAuts, "mtkey_bsf_refusals_total", "{cause=\"wrong-auts\"}", ""},
    Row{RefusedOutOfSync, "mtkey_bsf_refusals_total", "{cause=\"out-of-sync\"}", ""},
    Row{NotServed, "mtkey_bsf_refusals_total", "{cause=\"not-served\"}", ""},
};
static_assert(kTable.size() == static_cast<std::size_t>(Last) + 1);

/// Those of ZnHandler; 0 stands for all others.
constexpr std::array<unsigned, 9> kZnStatuses{200, 400, 403, 404, 405, 415, 500, 503, 0};

std::array<std::atomic<std::uint64_t>, kTable.size()> counts{};
std::array<std::atomic<std::uint64_t>, kZnStatuses.size()> zn_counts{};

void begin_metric(std::string& out, std::string_view name, std::string_view type,
                  std::string_view help) {
    out.append("# HELP ").append(name).append(" ").append(help).append("\n");
    out.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void value(std::string& out, std::string_view name, std::string_view labels, std::uint64_t number) {
    out.append(name).append(labels).append(" ").append(std::to_string(number)).append("\n");
}

void gauge(std::string& out, std::string_view name, std::string_view help, std::uint64_t number) {
    begin_metric(out, name, "gauge", help);
    value(out, name, "", number);
}

} // namespace

void count(Count what) {
    counts[static_cast<std::size_t>(what)].fetch_add(1, std::memory_order_relaxed);
}

void count_zn(unsigned status) {
    const auto found = std::ranges::find(kZnStatuses, status);
    const auto place = found == kZnStatuses.end()
                           ? kZnStatuses.size() - 1
                           : static_cast<std::size_t>(found - kZnStatuses.begin());
    zn_counts[place].fetch_add(1, std::memory_order_relaxed);
}

std::string write_metrics(const Gauges& gauges) {
    std::string out;
    for (const auto& row : kTable) {
        if (!row.help.empty()) {
            begin_metric(out, row.metric, "counter", row.help);
        }
        value(out, row.metric, row.labels, counts[static_cast<std::size_t>(row.what)]);
    }
    begin_metric(out, "mtkey_bsf_zn_requests_total", "counter", "Answers on Zn.");
    for (std::size_t i = 0; i < kZnStatuses.size(); ++i) {
        const auto status = kZnStatuses[i] == 0 ? "other" : std::to_string(kZnStatuses[i]);
        value(out, "mtkey_bsf_zn_requests_total", "{status=\"" + status + "\"}", zn_counts[i]);
    }
    gauge(out, "mtkey_bsf_open_challenges", "Challenges that wait for their answer.",
          gauges.open_challenges);
    gauge(out, "mtkey_bsf_contexts", "Bootstrapping contexts in the database.", gauges.contexts);
    return out;
}

} // namespace mtkey::bsf
