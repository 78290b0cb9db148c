// SPDX-License-Identifier: Apache-2.0
#include "http/stream.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

namespace mtkey::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

class TcpStream final : public Stream {
public:
    explicit TcpStream(tcp::socket socket) : socket_(std::move(socket)) {}

    void handshake(Done done) override {
        asio::post(socket_.get_executor(), [done = std::move(done)] { done({}, 0); });
    }
    void read_some(std::span<std::uint8_t> space, Done done) override {
        socket_.async_read_some(asio::buffer(space.data(), space.size()), std::move(done));
    }
    void write(ByteView octets, Done done) override {
        asio::async_write(socket_, asio::buffer(octets.data(), octets.size()), std::move(done));
    }
    void shutdown(Done done) override {
        error_code code;
        socket_.shutdown(tcp::socket::shutdown_send, code);
        asio::post(socket_.get_executor(), [code, done = std::move(done)] { done(code, 0); });
    }
    tcp::socket& socket() override { return socket_; }
    const SSL* ssl() override { return nullptr; }

private:
    tcp::socket socket_;
};

class TlsStream final : public Stream {
public:
    TlsStream(tcp::socket socket, SslHandle ssl, Side side)
        : stream_(std::move(socket), ssl.release()), side_(side) {}

    void handshake(Done done) override {
        const auto type =
            side_ == Side::Client ? asio::ssl::stream_base::client : asio::ssl::stream_base::server;
        stream_.async_handshake(type, [done = std::move(done)](error_code code) { done(code, 0); });
    }
    void read_some(std::span<std::uint8_t> space, Done done) override {
        stream_.async_read_some(asio::buffer(space.data(), space.size()), std::move(done));
    }
    void write(ByteView octets, Done done) override {
        asio::async_write(stream_, asio::buffer(octets.data(), octets.size()), std::move(done));
    }
    void shutdown(Done done) override {
        stream_.async_shutdown([done = std::move(done)](error_code code) { done(code, 0); });
    }
    tcp::socket& socket() override { return stream_.next_layer(); }
    const SSL* ssl() override { return stream_.native_handle(); }

private:
    asio::ssl::stream<tcp::socket> stream_;
    Side side_;
};

} // namespace

void Stream::close() {
    error_code ignored;
    socket().close(ignored);
}

std::unique_ptr<Stream> make_stream(tcp::socket socket, SslHandle ssl, Side side) {
    if (ssl == nullptr) {
        return std::make_unique<TcpStream>(std::move(socket));
    }
    return std::make_unique<TlsStream>(std::move(socket), std::move(ssl), side);
}

bool is_tls_failure(const error_code& code) {
    return code.category() == asio::error::get_ssl_category();
}

} // namespace mtkey::http
