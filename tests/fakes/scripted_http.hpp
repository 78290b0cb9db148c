// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/http_message.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace mtkey::fakes {

/// A peer that knows its lines: each request must be the next one of the script, else the test
/// fails and the exchange with it. Keeps every request it saw.
class ScriptedHttp final : public HttpExchange {
public:
    using Responder = std::function<Result<HttpResponse>(const HttpRequest&)>;

    explicit ScriptedHttp(std::string fqdn, bool authenticated = false)
        : fqdn_(std::move(fqdn)), authenticated_(authenticated) {}

    /// Method, target and body must be equal; each header of `expected` must stand once with the
    /// same value. Headers that `expected` does not name are not looked at.
    void expect(HttpRequest expected, Result<HttpResponse> response) {
        script_.push_back([expected = std::move(expected),
                           response = std::move(response)](const HttpRequest& request) {
            compare(expected, request);
            return response;
        });
    }
    /// For peers that compute. May itself use EXPECT_...
    void expect(Responder responder) { script_.push_back(std::move(responder)); }

    void set_authenticated(bool authenticated) { authenticated_ = authenticated; }
    [[nodiscard]] const std::vector<HttpRequest>& requests() const { return requests_; }
    [[nodiscard]] bool finished() const { return script_.empty(); }
    [[nodiscard]] unsigned connects() const { return connects_; }
    Result<void> connect_result{};

    [[nodiscard]] std::string_view fqdn() const override { return fqdn_; }
    /// As with a real connection: nobody is authenticated before the first exchange.
    [[nodiscard]] bool authenticated() const override {
        return authenticated_ && (connects_ > 0 || !requests_.empty());
    }
    [[nodiscard]] Result<void> connect() override {
        ++connects_;
        return connect_result;
    }
    [[nodiscard]] Result<HttpResponse> exchange(const HttpRequest& request) override {
        requests_.push_back(request);
        if (script_.empty()) {
            ADD_FAILURE() << "request off script: " << request.method << " " << request.target;
            return fail(Errc::Internal, "request off script");
        }
        const auto responder = std::move(script_.front());
        script_.pop_front();
        return responder(request);
    }

private:
    static void compare(const HttpRequest& expected, const HttpRequest& request) {
        EXPECT_EQ(request.method, expected.method);
        EXPECT_EQ(request.target, expected.target);
        EXPECT_EQ(request.body, expected.body);
        for (const auto& [name, value] : expected.headers.fields()) {
            const auto found = request.headers.all(name);
            if (found.size() != 1) {
                ADD_FAILURE() << "header " << name << " stands " << found.size() << " times";
                continue;
            }
            EXPECT_EQ(found.front(), value) << "header " << name;
        }
    }

    std::string fqdn_;
    bool authenticated_;
    unsigned connects_ = 0;
    std::deque<Responder> script_;
    std::vector<HttpRequest> requests_;
};

} // namespace mtkey::fakes
