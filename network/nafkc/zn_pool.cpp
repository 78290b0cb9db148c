// SPDX-License-Identifier: Apache-2.0
#include "network/nafkc/zn_pool.hpp"

namespace mtkey::nafkc {

ZnPool::ZnPool(const http::ClientSettings& settings, unsigned connections) {
    for (unsigned i = 0; i < connections; ++i) {
        clients_.push_back(std::make_unique<http::Client>(settings));
        idle_.push_back(clients_.back().get());
    }
}

Result<HttpResponse> ZnPool::exchange(const HttpRequest& request) {
    http::Client* client = nullptr;
    {
        std::unique_lock lock(mutex_);
        returned_.wait(lock, [this] { return closed_ || !idle_.empty(); });
        if (closed_) {
            return fail(Errc::Cancelled, "the program ends");
        }
        // The one that was used last has the freshest connection.
        client = idle_.back();
        idle_.pop_back();
    }
    auto response = client->exchange(request);
    const std::lock_guard lock(mutex_);
    idle_.push_back(client);
    returned_.notify_one();
    return response;
}

void ZnPool::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (const auto& client : clients_) {
        client->cancel();
    }
    returned_.notify_all();
}

} // namespace mtkey::nafkc
