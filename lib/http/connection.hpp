// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/codec.hpp"
#include "http/server.hpp"
#include "http/stream.hpp"

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>

// Private to lib/http.
namespace mtkey::http {

class Connection;

/// What a connection needs from its server; outlives every connection. All calls come on the I/O
/// thread.
class ConnectionHost {
public:
    virtual ~ConnectionHost() = default;
    [[nodiscard]] virtual const ServerSettings& settings() const = 0;
    virtual void ended(const std::shared_ptr<Connection>& connection) = 0;
    /// Lets a worker run the handler; `done` comes back on the I/O thread.
    virtual void handle(HttpRequest request, const Peer& peer,
                        std::function<void(HttpResponse)> done) = 0;
};

/// One client: handshake, requests one after the other, each phase with one deadline for all of it,
/// so that an octet now and then buys no time. Owns its stream; keeps itself alive while an
/// operation is under way.
class Connection final : public std::enable_shared_from_this<Connection> {
public:
    Connection(ConnectionHost& host, std::unique_ptr<Stream> stream, std::string address);
    void start();
    void close(); ///< at once; idempotent
    /// Since when this connection waits for its handshake or for the next request; nothing while it
    /// is served.
    [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> idle_since() const;

private:
    /// What follows an operation: nothing after close(); an exception (no memory) ends this
    /// connection before it goes on, or its place would be lost.
    Stream::Done then(std::function<void(boost::system::error_code, std::size_t)> step);
    void arm(std::chrono::steady_clock::duration time);
    void next_request();
    void read();
    void take_in(ByteView octets);
    void serve();
    void answer(HttpResponse response, bool keep_alive);
    void write(bool keep_alive);
    void write_pieces(bool keep_alive);
    void refuse(const Error& error);
    void finish();
    void discard();

    ConnectionHost& host_;
    std::unique_ptr<Stream> stream_;
    boost::asio::steady_timer timer_;
    Peer peer_;
    std::optional<RequestReader> reader_;
    std::array<std::uint8_t, 4096> buffer_{};
    std::size_t discarded_ = 0;
    std::string out_;
    ShapedAnswer shaped_; ///< what is left of it
    boost::asio::steady_timer pause_;
    std::chrono::steady_clock::time_point end_; ///< of its age
    bool head_ = false;
    bool closed_ = false;
    std::optional<std::chrono::steady_clock::time_point> idle_since_;
};

} // namespace mtkey::http
