// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "http/tls.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <span>

// Private to lib/http: TCP and TLS behind one face, so that Asio's templates are compiled once for
// both.
namespace mtkey::http {

/// One connected byte stream; owns its socket. Everything runs on the io_context's thread. A buffer
/// must live until `done` was called. After close() all operations under way end with
/// operation_aborted.
class Stream {
public:
    using Done = std::function<void(boost::system::error_code, std::size_t)>;

    virtual ~Stream() = default;
    virtual void handshake(Done done) = 0; ///< TCP: at once
    virtual void read_some(std::span<std::uint8_t> space, Done done) = 0;
    virtual void write(ByteView octets, Done done) = 0; ///< all of it
    virtual void shutdown(Done done) = 0;               ///< says that we send no more
    [[nodiscard]] virtual boost::asio::ip::tcp::socket& socket() = 0;
    [[nodiscard]] virtual const SSL* ssl() = 0; ///< null for TCP
    void close();
};

/// `ssl` null: plain TCP. Side::Client and Side::Server differ in the handshake only.
enum class Side { Client, Server };
std::unique_ptr<Stream> make_stream(boost::asio::ip::tcp::socket socket, SslHandle ssl, Side side);

/// The peer broke TLS or refused it (not: the connection ended).
bool is_tls_failure(const boost::system::error_code& code);

} // namespace mtkey::http
