// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/http_message.hpp"
#include "http/client.hpp"
#include "keycenter/documents.hpp"
#include "local/messages.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace mtkey::device {

/// Where the Key Center of an entry of the MT's list is asked.
struct KeyCenterTarget {
    std::string fqdn;
    std::uint16_t port = 443;
    std::string path = std::string(keycenter::kPath);
};
/// The optional URI of an entry may change port and path, never the host.
Result<KeyCenterTarget> key_center_target(const local::NafEntry& entry);

/// One HTTPS connection to one Key Center. cancel() may come from another thread, all else from
/// one.
class KeyCenterConnection {
public:
    virtual ~KeyCenterConnection() = default;
    [[nodiscard]] virtual Result<void> connect() = 0; ///< draft 5.5.2 step 11
    [[nodiscard]] virtual bool authenticated() const = 0;
    [[nodiscard]] virtual Result<HttpResponse> exchange(const HttpRequest& request) = 0;
    virtual void cancel() = 0;
};
using OpenKeyCenter =
    std::function<Result<std::unique_ptr<KeyCenterConnection>>(const KeyCenterTarget&)>;

struct KeyCenterSettings {
    http::TlsClientSettings tls;
    std::map<std::string, std::string> addresses; ///< FQDN -> "host:port"; others by name
};
/// Over lib/http with mutual TLS.
OpenKeyCenter http_key_centers(KeyCenterSettings settings);

/// Draft 5.5.2 steps 12 and 16: asks for the key and compares what the answer repeats. `on_sent` is
/// called just before the request leaves. BtidUnknown: the network does not know this B-TID (any
/// more); RetryAfter: this device has asked too often.
Result<keycenter::KeyAnswer> request_key(KeyCenterConnection& connection, const std::string& path,
                                         const keycenter::KeyRequest& request,
                                         const std::function<void()>& on_sent);

} // namespace mtkey::device
