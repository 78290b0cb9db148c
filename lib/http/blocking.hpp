// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/resolver.hpp"
#include "http/stream.hpp"

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

// Private to lib/http.
namespace mtkey::http {

using SteadyTime = std::chrono::steady_clock::time_point;

/// Asynchronous operations one after the other, each waited for until a deadline or until another
/// thread calls cancel(). Owns the io_context that its sockets belong to. Errors: TimedOut,
/// Cancelled.
class Blocking {
public:
    struct Outcome {
        boost::system::error_code code;
        std::size_t count = 0;
    };

    [[nodiscard]] boost::asio::io_context& context() { return io_; }

    /// Starts one operation on `socket` and returns its outcome. Time-out and cancel() close the
    /// socket, so that no operation is left when this returns. `what`: for the error.
    Result<Outcome> await(boost::asio::ip::tcp::socket& socket, SteadyTime deadline,
                          const char* what, const std::function<void(Stream::Done)>& start);
    Result<Lookup::Endpoints> look_up(const std::string& host, std::uint16_t port,
                                      SteadyTime deadline);
    /// Cancelled when somebody does so before `end`.
    Result<void> pause_until(SteadyTime end);
    /// From any thread. For good: a cancel that comes between two operations is not lost.
    void cancel();

private:
    [[nodiscard]] bool cancelled();

    boost::asio::io_context io_;
    std::mutex mutex_; ///< guards all that follows
    bool cancelled_ = false;
    std::shared_ptr<Lookup> lookup_; ///< the one under way
};

} // namespace mtkey::http
