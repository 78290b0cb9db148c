// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/http_message.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mtkey::http {

enum class TlsVersion { Tls12, Tls13 };

/// TLS 1.2 at least, 1.3 preferred. No file named = no TLS trust beyond what is given here: never
/// the system's store unless `system_trust` says so.
struct TlsClientSettings {
    std::string ca_file; ///< PEM, trust anchors
    bool system_trust = false;
    std::string certificate_file; ///< PEM chain, own certificate; empty = none
    std::string private_key_file; ///< PEM, 0600
    TlsVersion lowest = TlsVersion::Tls12;
};

struct ClientSettings {
    std::string fqdn;       ///< Host, SNI and the name that the certificate must carry
    std::uint16_t port = 0; ///< of the URI, also in Host; 0 = the scheme's, which Host leaves out
    /// Where to connect in their place, "host:port", "[v6]:port"; says nothing to the peer.
    std::string address;
    bool tls = false;
    TlsClientSettings tls_settings;
    std::string local_address; ///< bind to it; empty = any
    std::string interface;     ///< use only this one, e.g. that of an APN; empty = any
    std::size_t header_limit = 16 * 1024;
    std::size_t body_limit = 8 * 1024;
    std::chrono::milliseconds connect_timeout{10'000};
    std::chrono::milliseconds exchange_timeout{30'000}; ///< whole request and response
    /// A repeatable request is sent again this often, when the peer has refused or ended the
    /// connection or says 503; inside the same exchange_timeout, and not where Retry-After lies
    /// behind it. Pauses double from `retry_pause` on, each cut by up to half at random.
    unsigned retries = 0;
    std::chrono::milliseconds retry_pause{500};
    /// All that this client does, counted from its first connection or exchange; 0 = no limit.
    std::chrono::milliseconds run_timeout{0};
    /// Failures are told apart by the caller's domain: BsfUnreachable or KeyCenterUnreachable.
    Errc unreachable = Errc::IoFailed;
};

/// Blocking HTTP/1.1 client on one kept connection; used by one thread. No proxies, none from the
/// environment either, no redirects, no content coding. Errors: settings.unreachable (no
/// connection, time-out, reset), PeerUntrusted (TLS), Malformed (not HTTP), LimitExceeded (headers
/// or body too large), LinkLost (a request that is not repeatable, HttpRequest).
class Client final : public HttpExchange {
public:
    explicit Client(ClientSettings settings);
    ~Client() override;
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    [[nodiscard]] std::string_view fqdn() const override;
    [[nodiscard]] bool authenticated() const override;
    [[nodiscard]] Result<HttpResponse> exchange(const HttpRequest& request) override;

    /// The TCP and TLS handshake alone, so that a caller can tell it from the exchange (draft 5.5.2
    /// step 11).
    [[nodiscard]] Result<void> connect() override;
    /// From another thread: the exchange under way fails with Errc::Cancelled soon, and so does
    /// every later one.
    void cancel();

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// "host:port" or "[v6]:port" taken apart; `default_port` where there is none.
Result<std::pair<std::string, std::uint16_t>> parse_address(std::string_view text,
                                                            std::uint16_t default_port);

} // namespace mtkey::http
