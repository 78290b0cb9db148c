// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/http_message.hpp"

#include <memory>
#include <string>

// Private to lib/http: HTTP/1.1 messages as octets. Pure: no sockets, no time, no exceptions.
namespace mtkey::http {

/// `header`: start line and fields together, and what may wait for the end of a chunk header or
/// trailer.
struct Limits {
    std::size_t header;
    std::size_t body;
};

/// Reads one request from pieces of any size; owns the octets that it has not used yet and wipes
/// them.
class RequestReader {
public:
    explicit RequestReader(Limits limits);
    ~RequestReader();
    RequestReader(RequestReader&&) noexcept;
    RequestReader& operator=(RequestReader&&) noexcept;

    /// True: the request is complete. After that, or after an Error, feed no more.
    /// Errors: Malformed or LimitExceeded; detail is the status to answer with.
    Result<bool> feed(ByteView octets);
    [[nodiscard]] bool started() const; ///< at least one octet was fed
    [[nodiscard]] bool keep_alive() const;
    /// Once, when complete.
    HttpRequest take();
    /// The octets behind the request: the beginning of the next one.
    [[nodiscard]] std::string surplus() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// Reads one final response; up to eight interim (1xx) ones before it are dropped.
class ResponseReader {
public:
    /// `head`: the answer to HEAD, which has no body whatever its fields say.
    ResponseReader(Limits limits, bool head);
    ~ResponseReader();

    Result<bool> feed(ByteView octets);
    /// The connection ended properly: an answer without a length is complete with it, another one
    /// is cut off (LinkLost).
    Result<void> end();
    [[nodiscard]] bool started() const;
    /// The connection may carry another exchange: the peer said so and nothing came behind the
    /// answer.
    [[nodiscard]] bool keep_alive() const;
    HttpResponse take();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// The octets of a message. Refused (InvalidArgument): fields that are ours to set, and anything
/// that could end a line.
Result<std::string> encode(const HttpRequest& request, std::string_view host);
Result<std::string> encode(const HttpResponse& response, bool keep_alive, bool head);

} // namespace mtkey::http
