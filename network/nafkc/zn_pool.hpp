// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/client.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

namespace mtkey::nafkc {

/// Kept connections to the BSF, one for each question under way; owns them. Safe from several
/// threads.
class ZnPool {
public:
    ZnPool(const http::ClientSettings& settings, unsigned connections);
    Result<HttpResponse> exchange(const HttpRequest& request);
    /// What is under way fails soon, what comes later at once.
    void close();

private:
    std::mutex mutex_;
    std::condition_variable returned_;
    std::vector<std::unique_ptr<http::Client>> clients_;
    std::vector<http::Client*> idle_;
    bool closed_ = false;
};

} // namespace mtkey::nafkc
