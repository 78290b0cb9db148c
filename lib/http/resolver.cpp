// SPDX-License-Identifier: Apache-2.0
#include "http/resolver.hpp"

#include <atomic>
#include <cstring>
#include <exception>
#include <memory>
#include <netdb.h>
#include <new>
#include <thread>

namespace mtkey::http {
namespace {

/// Threads that may hang in getaddrinfo at once, over all clients of the process.
constexpr int kMostLookups = 8;
std::atomic<int> lookups = 0;

using Endpoint = boost::asio::ip::tcp::endpoint;

int look_up(const std::string& host, std::uint16_t port, int flags, std::vector<Endpoint>& out) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags;
    addrinfo* found = nullptr;
    const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    if (code != 0) {
        return code;
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        Endpoint endpoint;
        if (one->ai_addrlen <= endpoint.capacity()) {
            endpoint.resize(one->ai_addrlen);
            std::memcpy(endpoint.data(), one->ai_addr, one->ai_addrlen);
            endpoint.port(port);
            out.push_back(endpoint);
        }
    }
    return 0;
}

} // namespace

Result<Lookup::Endpoints> Lookup::run(const std::string& host, std::uint16_t port,
                                      std::chrono::steady_clock::time_point deadline) {
    Endpoints numeric;
    if (look_up(host, port, AI_NUMERICHOST, numeric) == 0) {
        return numeric;
    }
    if (lookups.fetch_add(1) >= kMostLookups) {
        lookups.fetch_sub(1);
        return fail(Errc::LimitExceeded, "too many name lookups hang");
    }
    try {
        std::thread([state = state_, host, port] {
            Endpoints endpoints;
            int code = EAI_MEMORY;
            try {
                code = look_up(host, port, 0, endpoints);
            } catch (const std::bad_alloc&) { // nobody above would catch it
            }
            lookups.fetch_sub(1);
            const std::lock_guard lock(state->mutex);
            state->done = true;
            state->code = code;
            state->endpoints = std::move(endpoints);
            state->changed.notify_all();
        }).detach();
    } catch (const std::exception&) { // no thread, or no memory for one
        lookups.fetch_sub(1);
        return fail(Errc::LimitExceeded, "no thread for a name lookup");
    }
    std::unique_lock lock(state_->mutex);
    const auto ended = [this] { return state_->done || state_->cancelled; };
    if (!state_->changed.wait_until(lock, deadline, ended)) {
        return fail(Errc::TimedOut, "name lookup of " + host);
    }
    if (state_->cancelled) {
        return fail(Errc::Cancelled);
    }
    if (state_->code != 0 || state_->endpoints.empty()) {
        return fail(Errc::NotFound,
                    "name lookup of " + host + ": " +
                        (state_->code == 0 ? "no address" : gai_strerror(state_->code)));
    }
    return state_->endpoints;
}

void Lookup::cancel() {
    const std::lock_guard lock(state_->mutex);
    state_->cancelled = true;
    state_->changed.notify_all();
}

} // namespace mtkey::http
