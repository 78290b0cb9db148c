// SPDX-License-Identifier: Apache-2.0
#include "http/server.hpp"

#include "base/log.hpp"
#include "base/secret.hpp"
#include "http/client.hpp"
#include "http/connection.hpp"
#include "http/resolver.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <optional>
#include <set>
#include <sys/stat.h>
#include <thread>
#include <utility>

namespace mtkey::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr std::chrono::seconds kListenLookup{5};

Result<tcp::endpoint> listen_endpoint(const std::string& listen) {
    const auto [host, port] = MTKEY_TRY(parse_address(listen, 0));
    Lookup lookup;
    const auto found =
        MTKEY_TRY(lookup.run(host, port, std::chrono::steady_clock::now() + kListenLookup));
    return found.front();
}

/// Differs when the file has been written, replaced or made readable.
using Stamp = std::array<std::int64_t, 5>;
Stamp stamp_of(const std::string& file) {
    struct stat status{};
    if (::stat(file.c_str(), &status) != 0) {
        return {};
    }
    return {static_cast<std::int64_t>(status.st_dev), static_cast<std::int64_t>(status.st_ino),
            status.st_size, status.st_ctim.tv_sec, status.st_ctim.tv_nsec};
}

std::string text_of(const tcp::socket& socket) {
    error_code code;
    const auto endpoint = socket.remote_endpoint(code);
    if (code) {
        return "?";
    }
    const auto address = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
           std::to_string(endpoint.port());
}

} // namespace

/// One thread does all I/O, so that blocked handlers stop neither deadlines nor other peers;
/// `threads` workers run the handler.
class Server::Impl final : public ConnectionHost {
public:
    Impl(ServerSettings settings, Handler handler)
        : settings_(std::move(settings)),
          handler_(std::move(handler)),
          acceptor_(io_),
          pause_(io_),
          workers_(std::max(1U, settings_.threads)) {}

    ~Impl() override { stop(); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    Result<void> listen() {
        if (settings_.tls) {
            crl_stamp_ = stamp_of(settings_.tls_settings.client_crl_file);
            context_ = MTKEY_TRY(server_context(settings_.tls_settings));
        }
        const auto endpoint = MTKEY_TRY(listen_endpoint(settings_.listen));
        error_code code;
        acceptor_.open(endpoint.protocol(), code);
        if (!code) {
            acceptor_.set_option(tcp::acceptor::reuse_address(true), code);
            acceptor_.bind(endpoint, code);
        }
        if (!code) {
            acceptor_.listen(asio::socket_base::max_listen_connections, code);
        }
        if (!code) {
            acceptor_.non_blocking(true, code);
        }
        if (!code) {
            port_ = acceptor_.local_endpoint(code).port();
        }
        if (code) {
            return fail(Errc::IoFailed,
                        "cannot listen on " + settings_.listen + ": " + code.message(),
                        static_cast<std::uint32_t>(code.value()));
        }
        return {};
    }

    void start() {
        if (io_thread_.joinable() || stopping_) {
            return;
        }
        io_thread_ = std::thread([this] { run(); });
    }

    void stop() {
        if (stopping_.exchange(true)) {
            return;
        }
        asio::post(io_, [this] {
            error_code ignored;
            acceptor_.close(ignored);
            pause_.cancel();
            for (const auto& connection : std::set(connections_)) {
                connection->close();
            }
        });
        workers_.join();
        work_.reset();
        if (io_thread_.joinable()) {
            io_thread_.join();
        }
    }

    [[nodiscard]] std::uint16_t port() const { return port_; }

    // ---- ConnectionHost
    [[nodiscard]] const ServerSettings& settings() const override { return settings_; }

    void ended(const std::shared_ptr<Connection>& connection) override {
        connections_.erase(connection);
        if (full_) {
            full_ = false;
            asio::post(io_, [this, round = round_] {
                if (round == round_) {
                    listen_on();
                }
            });
        }
    }

    void handle(HttpRequest request, const Peer& peer,
                std::function<void(HttpResponse)> done) override {
        const auto answer = std::make_shared<Answer>(std::move(done), HttpResponse{});
        asio::post(workers_, [this, request = std::move(request), peer, answer] {
            if (stopping_) {
                return;
            }
            auto& response = answer->response;
            try {
                response = handler_(request, peer);
            } catch (const std::exception& e) {
                // What it says may hold anything: only its kind is logged.
                log(LogLevel::Error, "handler failed", {{"exception", typeid(e).name()}});
                response = HttpResponse{500, {}, {}};
            } catch (...) {
                log(LogLevel::Error, "handler failed");
                response = HttpResponse{500, {}, {}};
            }
            give_back(answer);
        });
    }

private:
    struct Answer {
        std::function<void(HttpResponse)> done;
        HttpResponse response;
    };

    /// On a worker, where an exception would end the program; without an answer the connection
    /// would keep its place for ever.
    void give_back(const std::shared_ptr<Answer>& answer) {
        while (!stopping_) {
            try {
                asio::post(io_, [answer] { answer->done(std::move(answer->response)); });
                return;
            } catch (const std::exception&) { // no memory
                std::this_thread::sleep_for(kAcceptPause);
            }
        }
    }

    void run() {
        while (true) {
            try {
                listen_anew();
                io_.run();
                return;
            } catch (
                const std::exception& e) { // no memory: this connection's loss, not the server's
                log(LogLevel::Error, "HTTP server", {{"exception", e.what()}});
                std::this_thread::sleep_for(kAcceptPause);
            }
        }
    }

    /// At the start, and after an exception: what was to lead to the next connection may be lost.
    void listen_anew() {
        ++round_;
        full_ = false;
        error_code ignored;
        acceptor_.cancel(ignored);
        pause_.cancel();
        listen_on();
    }

    /// One operation that leads to the next connection; none once stop() has closed the acceptor.
    /// It waits before it accepts: without a free descriptor accept(2) fails though nobody is
    /// there.
    void listen_on() {
        if (!acceptor_.is_open()) {
            return;
        }
        acceptor_.async_wait(tcp::acceptor::wait_read, [this, round = round_](error_code code) {
            if (code == asio::error::operation_aborted || round != round_) {
                return;
            }
            if (connections_.size() < settings_.max_connections) {
                accept();
            } else if (close_longest_idle()) { // somebody waits for its place
                listen_on();
            } else {
                full_ = true; // ended() goes on
            }
        });
    }

    void accept() {
        error_code code;
        tcp::socket socket(io_);
        acceptor_.accept(socket, code); // not blocking: who was there may have gone
        if (code == asio::error::no_descriptors || code == asio::error::no_buffer_space ||
            code == asio::error::no_memory ||
            code == error_code(ENFILE, boost::system::system_category())) {
            // accept(2) would say the same again at once.
            log(LogLevel::Warning, "cannot accept a connection", {{"reason", code.message()}});
            close_longest_idle();
            pause_.expires_after(kAcceptPause);
            pause_.async_wait([this, round = round_](error_code stopped) {
                if (!stopped && round == round_) {
                    listen_on();
                }
            });
            return;
        }
        if (!code) {
            welcome(std::move(socket));
        }
        listen_on();
    }

    /// Whoever connects is judged by the list that stands in the file now.
    void renew_crl() {
        const auto& file = settings_.tls_settings.client_crl_file;
        if (file.empty()) {
            return;
        }
        const auto stamp = stamp_of(file);
        if (stamp == crl_stamp_) {
            return;
        }
        if (const auto done = renew_trust(context_.get(), settings_.tls_settings); !done) {
            // Tried again for the next connection: what is wrong need not be the file.
            if (std::exchange(crl_complaint_, stamp) != stamp) {
                log_error("certificate revocation list not renewed, the one before stands",
                          done.error());
            }
            return;
        }
        crl_stamp_ = stamp;
        crl_complaint_.reset();
        log(LogLevel::Notice, "certificate revocation list renewed", {{"file", file}});
    }

    void welcome(tcp::socket socket) {
        error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        SslHandle ssl;
        if (context_ != nullptr) {
            renew_crl();
            auto made = server_handle(context_.get());
            if (!made) {
                log_error("connection dropped", made.error());
                return;
            }
            ssl = std::move(*made);
        }
        auto address = text_of(socket);
        const auto connection = std::make_shared<Connection>(
            *this, make_stream(std::move(socket), std::move(ssl), Side::Server),
            std::move(address));
        connections_.insert(connection);
        try {
            connection->start();
        } catch (...) {
            connection->close();
            throw;
        }
    }

    bool close_longest_idle() {
        std::shared_ptr<Connection> longest;
        for (const auto& connection : connections_) {
            const auto since = connection->idle_since();
            if (since && (longest == nullptr || *since < *longest->idle_since())) {
                longest = connection;
            }
        }
        if (longest != nullptr) {
            longest->close();
        }
        return longest != nullptr;
    }

    ServerSettings settings_;
    Handler handler_;
    SslContext context_;
    Stamp crl_stamp_{};                  ///< of the list that stands
    std::optional<Stamp> crl_complaint_; ///< of the one that could not be read: said once
    asio::io_context io_;
    asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
    tcp::acceptor acceptor_;
    asio::steady_timer pause_;
    std::uint16_t port_ = 0;
    std::set<std::shared_ptr<Connection>> connections_;
    unsigned round_ = 0; ///< what belongs to an earlier one leads to no next connection
    bool full_ = false;  ///< nobody to make room, listen_on() waits for an end
    std::atomic<bool> stopping_ = false;
    asio::thread_pool workers_;
    std::thread io_thread_;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::create(ServerSettings settings, Handler handler) {
    try {
        auto impl = std::make_unique<Impl>(std::move(settings), std::move(handler));
        MTKEY_CHECK(impl->listen());
        return std::unique_ptr<Server>(new Server(std::move(impl)));
    } catch (const std::exception& e) { // Asio: no thread, no descriptor
        return fail(Errc::IoFailed, std::string("HTTP server: ") + e.what());
    }
}

void Server::start() {
    impl_->start();
}

void Server::stop() {
    impl_->stop();
}

std::uint16_t Server::port() const {
    return impl_->port();
}

} // namespace mtkey::http
