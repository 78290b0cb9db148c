// SPDX-License-Identifier: Apache-2.0
#include "network/nafkc/request_rules.hpp"

#include "keycenter/documents.hpp"

namespace mtkey::nafkc {

std::unexpected<Error> refuse(unsigned status, std::string why) {
    return fail(Errc::Rejected, std::move(why), status);
}

HttpResponse problem(unsigned status, std::string_view why) {
    HttpResponse response;
    response.status = status;
    response.headers.add("Content-Type", "text/plain; charset=us-ascii");
    response.headers.add("Cache-Control", "no-store");
    response.body = std::string(why) + "\n";
    return response;
}

bool is_xml(const HttpRequest& request) {
    const auto type = request.headers.single("Content-Type");
    if (!type || !*type) {
        return false;
    }
    std::string essence;
    std::string parameter;
    bool behind = false;
    for (const char c : **type) {
        if (c == ';' && !behind) {
            behind = true;
        } else if (c != ' ' && c != '\t' && c != '"') {
            (behind ? parameter : essence).push_back(c);
        }
    }
    return equal_ignoring_case(essence, keycenter::kMediaType) &&
           (parameter.empty() || equal_ignoring_case(parameter, "charset=utf-8"));
}

std::string_view host_of(const HttpRequest& request) {
    const auto host = request.headers.single("Host");
    if (!host || !*host) {
        return {};
    }
    return (*host)->substr(0, (*host)->find(':'));
}

} // namespace mtkey::nafkc
