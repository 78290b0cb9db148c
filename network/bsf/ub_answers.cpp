// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/ub_answers.hpp"

#include "base/log.hpp"
#include "network/bsf/metrics.hpp"

namespace mtkey::bsf {
namespace {

// The token says that this end knows of TMPI (TS 33.220 clause 4.5.2); it is a matter of Release 8
// on.
constexpr std::string_view kServer = "Bootstrapping Server; Release-6; 3gpp-gba-tmpi";

} // namespace

HttpResponse answer_of(unsigned status) {
    HttpResponse response;
    response.status = status;
    response.headers.add("Server", std::string(kServer));
    return response;
}

HttpResponse text_answer(unsigned status, std::string_view text) {
    auto response = answer_of(status);
    response.headers.add("Content-Type", "text/plain");
    response.body = std::string(text) + "\n";
    return response;
}

HttpResponse forbidden() {
    return text_answer(403, "refused");
}

HttpResponse answer_of(const Error& error) {
    switch (error.code) {
    case Errc::Malformed:
    case Errc::InvalidArgument:
        count(Count::RefusedMalformed);
        log_warning("Ub request", error);
        return text_answer(400, error.context);
    case Errc::NotFound:
    case Errc::Rejected:
        return forbidden();
    case Errc::RetryAfter: {
        count(Count::NotServed);
        log_warning("Ub request", error);
        auto response = text_answer(503, "not served");
        response.headers.add("Retry-After", std::to_string(error.detail));
        return response;
    }
    default:
        count(Count::NotServed);
        log_error("Ub request", error);
        return text_answer(info(error.code).retry_helps ? 503 : 500, "not served");
    }
}

std::optional<HttpResponse> status_fault(const Faults& faults) {
    if (faults.has(Fault::Status403)) {
        return forbidden();
    }
    if (faults.has(Fault::Status404)) {
        return text_answer(404, "a fault");
    }
    if (faults.has(Fault::Status500)) {
        return text_answer(500, "a fault");
    }
    if (faults.has(Fault::Status503)) {
        auto response = text_answer(503, "a fault");
        response.headers.add("Retry-After", "120");
        return response;
    }
    const bool elsewhere = faults.has(Fault::RedirectElsewhere);
    if (elsewhere || faults.has(Fault::Redirect)) {
        auto response = text_answer(302, "a fault");
        response.headers.add("Location",
                             elsewhere ? "http://elsewhere.example.org/" : "/bootstrap");
        return response;
    }
    return std::nullopt;
}

} // namespace mtkey::bsf
