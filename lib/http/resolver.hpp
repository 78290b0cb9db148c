// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

// Private to lib/http.
namespace mtkey::http {

/// One name lookup that never holds its caller up: getaddrinfo cannot be interrupted, so it runs on
/// a thread of its own, which is left behind when the deadline passes or cancel() is called.
class Lookup {
public:
    using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

    /// Numeric addresses need no thread. Errors: NotFound, TimedOut, Cancelled, LimitExceeded (too
    /// many left behind).
    Result<Endpoints> run(const std::string& host, std::uint16_t port,
                          std::chrono::steady_clock::time_point deadline);
    void cancel(); ///< from any thread; a run that comes later ends at once

private:
    struct State {
        std::mutex mutex;
        std::condition_variable changed;
        bool done = false;
        bool cancelled = false;
        int code = 0;
        Endpoints endpoints;
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

} // namespace mtkey::http
