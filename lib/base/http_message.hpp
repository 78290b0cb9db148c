// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mtkey {

/// Header fields in their order; names compare without case.
class HttpHeaders {
public:
    void add(std::string name, std::string value) {
        fields_.emplace_back(std::move(name), std::move(value));
    }
    /// The value when the field stands exactly once; an Error when it stands twice.
    [[nodiscard]] Result<std::optional<std::string_view>> single(std::string_view name) const;
    [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;
    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& fields() const {
        return fields_;
    }

private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

struct HttpRequest {
    std::string method = "GET";
    std::string target = "/";
    HttpHeaders headers; ///< without Host, Content-Length, Connection: the client adds them
    std::string body;
    /// The same octets may be sent again when the peer may not have seen them. If not, LinkLost
    /// says that a kept connection ended before one octet of an answer.
    bool repeatable = true;
};

struct HttpResponse {
    unsigned status = 200;
    HttpHeaders headers; ///< without Content-Length, Connection: the server adds them
    std::string body;
};

/// One request, one response, on whatever connection there is; blocks. What gba/ and keycenter/ see
/// of the network.
class HttpExchange {
public:
    virtual ~HttpExchange() = default;
    /// The peer's name, as it stands in Host, SNI and realm (never an address).
    [[nodiscard]] virtual std::string_view fqdn() const = 0;
    /// True when the connection is TLS and the peer's certificate was verified for fqdn(). So it is
    /// false before the first exchange: nobody has been asked for a certificate yet.
    [[nodiscard]] virtual bool authenticated() const = 0;
    /// Makes sure of a connection, where there is such a thing, without a request.
    [[nodiscard]] virtual Result<void> connect() { return {}; }
    [[nodiscard]] virtual Result<HttpResponse> exchange(const HttpRequest& request) = 0;
};

/// ASCII comparison without case, for names of headers and parameters.
bool equal_ignoring_case(std::string_view a, std::string_view b);

} // namespace mtkey
