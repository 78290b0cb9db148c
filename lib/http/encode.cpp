// SPDX-License-Identifier: Apache-2.0
#include "http/codec.hpp"

#include "base/http_date.hpp"

#include <array>
#include <boost/beast/http/status.hpp>

namespace mtkey::http {
namespace {

bool is_token(std::string_view text) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    for (const char c : text) {
        const bool word =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!word && kMarks.find(c) == std::string_view::npos) {
            return false;
        }
    }
    return !text.empty();
}

bool is_field_value(std::string_view text) {
    for (const char c : text) {
        if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F) {
            return false;
        }
    }
    return true;
}

bool is_target(std::string_view text) {
    for (const char c : text) {
        if (c <= ' ' || c > '~') {
            return false;
        }
    }
    return !text.empty();
}

Result<void> append_fields(std::string& out, const HttpHeaders& headers) {
    constexpr std::array<std::string_view, 4> kOurs{"Host", "Content-Length", "Connection",
                                                    "Transfer-Encoding"};
    for (const auto& [name, value] : headers.fields()) {
        bool good = is_token(name) && is_field_value(value);
        for (const auto ours : kOurs) {
            good = good && !equal_ignoring_case(name, ours);
        }
        if (!good) {
            return fail(Errc::InvalidArgument, "HTTP field that cannot be sent");
        }
        out.append(name).append(": ").append(value).append("\r\n");
    }
    return {};
}

} // namespace

Result<std::string> encode(const HttpRequest& request, std::string_view host) {
    if (!is_token(request.method) || !is_target(request.target) || !is_target(host)) {
        return fail(Errc::InvalidArgument, "HTTP request that cannot be sent");
    }
    std::string out;
    out.reserve(1024 + request.target.size() + request.body.size());
    out.append(request.method).append(" ").append(request.target).append(" HTTP/1.1\r\nHost: ");
    out.append(host).append("\r\n");
    MTKEY_CHECK(append_fields(out, request.headers));
    if (request.headers.all("Accept-Encoding").empty()) {
        out += "Accept-Encoding: identity\r\n";
    }
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
        out += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    }
    out.append("\r\n").append(request.body);
    return out;
}

Result<std::string> encode(const HttpResponse& response, bool keep_alive, bool head) {
    if (response.status < 200 || response.status > 599) {
        return fail(Errc::InvalidArgument, "HTTP status that cannot be sent");
    }
    const bool bodiless = response.status == 204 || response.status == 304;
    std::string out;
    out.reserve(1024 + response.body.size());
    const auto reason = boost::beast::http::obsolete_reason(
        static_cast<boost::beast::http::status>(response.status));
    out += "HTTP/1.1 " + std::to_string(response.status) + " " +
           std::string(reason.data(), reason.size()) + "\r\n";
    if (response.headers.all("Date").empty()) {
        out += "Date: " + http_date(SystemClock().utc_now()) + "\r\n";
    }
    MTKEY_CHECK(append_fields(out, response.headers));
    if (!bodiless) {
        out += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
    }
    if (!keep_alive) {
        out += "Connection: close\r\n";
    }
    out += "\r\n";
    if (!bodiless && !head) {
        out += response.body;
    }
    return out;
}

} // namespace mtkey::http
