// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/client.hpp"
#include "http/server.hpp"

#include <memory>
#include <openssl/ssl.h>

// Private to lib/http: what OpenSSL is told to accept.
namespace mtkey::http {

struct FreeSsl {
    void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
    void operator()(SSL* p) const { SSL_free(p); }
};
using SslContext = std::unique_ptr<SSL_CTX, FreeSsl>;
using SslHandle = std::unique_ptr<SSL, FreeSsl>;

/// Errors: ConfigInvalid or the file's own, naming the file.
Result<SslContext> client_context(const TlsClientSettings& settings);
Result<SslContext> server_context(const TlsServerSettings& settings);

/// Reads the clients' trust anchors and the revocation list anew, for the connections to come. On
/// an Error those that were read before stand.
Result<void> renew_trust(SSL_CTX* context, const TlsServerSettings& settings);

/// One connection. The client's will say `fqdn` in SNI and accept a certificate for nothing else.
Result<SslHandle> client_handle(SSL_CTX* context, const std::string& fqdn);
Result<SslHandle> server_handle(SSL_CTX* context);

/// Why the peer's certificate was refused, or empty when that was not the reason.
std::string verify_failure(const SSL* ssl);
/// Fills what the verified client certificate says; leaves `peer` alone without one.
void read_certificate(const SSL* ssl, Peer& peer);

} // namespace mtkey::http
