// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/http_message.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mtkey::http {

struct TlsServerSettings {
    std::string certificate_file; ///< PEM chain
    std::string private_key_file; ///< PEM, 0600
    /// Trust anchors for clients; empty = no client certificate asked for.
    std::vector<std::string> client_ca_files;
    /// PEM, for every CA above; read anew for new connections when it changes; empty = revocation
    /// is not checked.
    std::string client_crl_file;
    bool require_client_certificate = true; ///< the handshake fails without a valid one
};

/// What a test's server sends in the place of an answer: the octets of each piece after a pause.
struct ShapedAnswer {
    struct Piece {
        std::chrono::milliseconds pause{0};
        std::string octets;
    };
    std::vector<Piece> pieces;
    bool close = false; ///< the connection ends with the last piece
};

struct ServerSettings {
    std::string listen = "127.0.0.1:0"; ///< "host:port"; port 0 = any, see Server::port()
    bool tls = false;
    TlsServerSettings tls_settings;
    std::size_t header_limit = 16 * 1024;
    std::size_t body_limit = 16 * 1024;
    unsigned threads = 2; ///< handlers may block that many at once
    unsigned max_connections = 256;
    unsigned idle_seconds = 30;        ///< between requests
    unsigned connection_seconds = 300; ///< then a kept connection ends: its certificate was judged
                                       ///< when it began
    unsigned request_seconds =
        10; ///< from the first octet of a request to its last, and for the TLS handshake
    /// Test tool: gets the octets of each answer to a request, and decides what goes out. Empty:
    /// the answer as it is.
    std::function<ShapedAnswer(std::string answer)> shape{};
};

/// What the TLS handshake proved about the client; empty on plain HTTP.
struct Peer {
    std::string address;        ///< for the log
    bool authenticated = false; ///< a client certificate was verified
    std::vector<std::string>
        san_uris; ///< subjectAltName URIs, octet by octet; entries with NUL are left out
    std::vector<std::string> san_dns; ///< subjectAltName dNSNames
    bool client_auth_usage =
        false;                  ///< extendedKeyUsage contains clientAuth (no EKU at all = false)
    std::int64_t not_after = 0; ///< end of the certificate, UTC seconds
    std::string anchor;         ///< the trust anchor that vouches for it, see certificate_digests()
};

/// SHA-256, in hex, of each certificate of a PEM file that only root or we can write.
Result<std::vector<std::string>> certificate_digests(const std::string& file);

using Handler = std::function<HttpResponse(const HttpRequest&, const Peer&)>;

/// Owns the listening socket, its threads and connections. The handler runs on the server's threads
/// and may block.
class Server {
public:
    /// Binds and listens; accepts from start() on.
    static Result<std::unique_ptr<Server>> create(ServerSettings settings, Handler handler);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    void start();
    void stop(); ///< closes everything, waits for handlers under way
    [[nodiscard]] std::uint16_t port() const;

private:
    class Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace mtkey::http
