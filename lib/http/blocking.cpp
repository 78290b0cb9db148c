// SPDX-License-Identifier: Apache-2.0
#include "http/blocking.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <optional>

namespace mtkey::http {

using boost::system::error_code;

Result<Blocking::Outcome> Blocking::await(boost::asio::ip::tcp::socket& socket, SteadyTime deadline,
                                          const char* what,
                                          const std::function<void(Stream::Done)>& start) {
    // Shared: should anything throw here, the operation may end after this function.
    const auto outcome = std::make_shared<std::optional<Outcome>>();
    io_.restart();
    start([outcome](error_code code, std::size_t count) { *outcome = Outcome{code, count}; });
    bool stopped = false;
    while (!*outcome) {
        stopped = cancelled();
        if (stopped || io_.run_one_until(deadline) == 0) {
            break;
        }
    }
    if (*outcome) {
        return **outcome;
    }
    error_code ignored;
    socket.close(ignored);
    while (!*outcome) {
        io_.run_one();
    }
    if (stopped) {
        return fail(Errc::Cancelled, what);
    }
    return fail(Errc::TimedOut, std::string(what) + " took too long");
}

Result<Lookup::Endpoints> Blocking::look_up(const std::string& host, std::uint16_t port,
                                            SteadyTime deadline) {
    const auto lookup = std::make_shared<Lookup>();
    {
        const std::lock_guard lock(mutex_);
        if (cancelled_) {
            return fail(Errc::Cancelled, host);
        }
        lookup_ = lookup;
    }
    auto found = lookup->run(host, port, deadline);
    const std::lock_guard lock(mutex_);
    lookup_.reset();
    return found;
}

Result<void> Blocking::pause_until(SteadyTime end) {
    const auto work = boost::asio::make_work_guard(io_);
    io_.restart();
    while (std::chrono::steady_clock::now() < end) {
        if (cancelled()) {
            return fail(Errc::Cancelled, "pause");
        }
        io_.run_one_until(end);
    }
    return {};
}

void Blocking::cancel() {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (lookup_ != nullptr) {
        lookup_->cancel();
    }
    boost::asio::post(io_, [] {}); // wakes run_one_until()
}

bool Blocking::cancelled() {
    const std::lock_guard lock(mutex_);
    return cancelled_;
}

} // namespace mtkey::http
