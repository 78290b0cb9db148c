// SPDX-License-Identifier: Apache-2.0
#include "http/client.hpp"

#include "base/http_date.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "http/blocking.hpp"
#include "http/codec.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <sys/socket.h>

namespace mtkey::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;
constexpr unsigned kUnavailable = 503;

} // namespace

/// One connection and what it takes to make it anew.
class Client::Impl {
public:
    explicit Impl(ClientSettings settings) : settings_(std::move(settings)), host_(settings_.fqdn) {
        const auto usual = settings_.tls ? kHttpsPort : kHttpPort;
        if (settings_.port == 0) {
            settings_.port = usual;
        }
        if (settings_.port != usual) {
            host_ += ":" + std::to_string(settings_.port);
        }
    }

    [[nodiscard]] const std::string& fqdn() const { return settings_.fqdn; }
    [[nodiscard]] bool authenticated() const { return verified_; }

    Result<HttpResponse> exchange(const HttpRequest& request) {
        const auto deadline = next_deadline();
        std::string text = MTKEY_TRY(encode(request, host_));
        auto answer = exchange_until(deadline, request, text);
        for (unsigned tries = 0; request.repeatable && tries < settings_.retries; ++tries) {
            const auto next = std::chrono::steady_clock::now() + pause_behind(answer, tries);
            if (!worth_another_try(answer) || next >= deadline) {
                break;
            }
            if (!blocking_.pause_until(next)) {
                answer = fail(Errc::Cancelled, settings_.fqdn);
                break;
            }
            answer = exchange_until(deadline, request, text);
        }
        // Both may have carried what only the peer may see.
        wipe(text);
        wipe(std::span<std::uint8_t>(buffer_));
        return answer;
    }

    Result<void> connect() {
        if (usable()) {
            return {};
        }
        return connect_until(next_deadline());
    }

    void drop() { stream_.reset(); }

    void cancel() { blocking_.cancel(); }

private:
    SteadyTime next_deadline() {
        const auto now = std::chrono::steady_clock::now();
        if (!run_end_ && settings_.run_timeout.count() > 0) {
            run_end_ = now + settings_.run_timeout;
        }
        return std::min(now + settings_.exchange_timeout, run_end_.value_or(SteadyTime::max()));
    }

    [[nodiscard]] bool worth_another_try(const Result<HttpResponse>& answer) const {
        return answer ? answer->status == kUnavailable
                      : refused_or_ended_ && answer.error().code == settings_.unreachable;
    }

    [[nodiscard]] std::chrono::milliseconds pause_behind(const Result<HttpResponse>& answer,
                                                         unsigned tries) const {
        std::array<std::uint8_t, 1> random{};
        (void)SystemRandom().fill(random); // without it all wait the same
        const auto longest = settings_.retry_pause * (1 << std::min(tries, 10U));
        std::chrono::milliseconds pause = longest - longest * random[0] / 512;
        if (answer) {
            const auto field = answer->headers.single("Retry-After");
            if (field && *field) {
                const auto said = parse_retry_after(**field, SystemClock().utc_now());
                pause = std::max<std::chrono::milliseconds>(pause,
                                                            said.value_or(std::chrono::seconds(0)));
            }
        }
        return pause;
    }

    std::unexpected<Error> unreachable(const std::string& why, const error_code& code = {}) {
        const bool of_system = code.category() == boost::system::system_category();
        refused_or_ended_ = code == asio::error::connection_refused ||
                            code == asio::error::connection_reset ||
                            code == asio::error::broken_pipe ||
                            (code && !of_system); // the end, regular or over TLS without notice
        std::string text = host_;
        if (!settings_.address.empty()) {
            text += " at " + settings_.address;
        }
        text += ": " + why + (code ? ": " + code.message() : "");
        return fail(settings_.unreachable, text,
                    of_system ? static_cast<std::uint32_t>(code.value()) : 0);
    }

    std::unexpected<Error> untrusted(const error_code& code) {
        std::string reason = verify_failure(stream_->ssl());
        if (reason.empty()) {
            reason = code.message();
        }
        return fail(Errc::PeerUntrusted, settings_.fqdn + ": TLS: " + reason);
    }

    /// The caller's words for what Blocking says.
    std::unexpected<Error> stopped(const Error& error) {
        if (error.code == Errc::Cancelled) {
            return fail(Errc::Cancelled, settings_.fqdn);
        }
        return unreachable(error.context);
    }

    /// One operation on the stream that there is.
    Result<Blocking::Outcome> await(SteadyTime deadline, const char* what,
                                    const std::function<void(Stream::Done)>& start) {
        auto outcome = blocking_.await(stream_->socket(), deadline, what, start);
        return outcome ? std::move(outcome) : stopped(outcome.error());
    }

    /// A kept connection that the peer has closed meanwhile shows its end at once.
    bool usable() {
        if (stream_ == nullptr) {
            return false;
        }
        char octet = 0;
        const ssize_t got =
            ::recv(stream_->socket().native_handle(), &octet, 1, MSG_PEEK | MSG_DONTWAIT);
        // Octets that nobody asked for: TLS may have its own to say, plain HTTP may not.
        const bool good = (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) ||
                          (got > 0 && stream_->ssl() != nullptr);
        if (!good) {
            drop();
        }
        return good;
    }

    Result<void> connect_until(SteadyTime exchange_deadline) {
        drop();
        verified_ = false;
        const auto deadline = std::min(exchange_deadline, std::chrono::steady_clock::now() +
                                                              settings_.connect_timeout);
        if (settings_.tls && context_ == nullptr) {
            context_ = MTKEY_TRY(client_context(settings_.tls_settings));
        }
        const auto endpoints = MTKEY_TRY(resolve(deadline));
        auto connected = Result<void>(unreachable("no address of the right family"));
        auto left = endpoints.size();
        for (const auto& endpoint : endpoints) {
            // A silent address must leave time for those behind it.
            const auto now = std::chrono::steady_clock::now();
            connected =
                connect_to(endpoint, now + (deadline - now) / static_cast<std::int64_t>(left--));
            if (connected || connected.error().code != settings_.unreachable) {
                break;
            }
        }
        if (!connected) {
            drop();
        }
        return connected;
    }

    Result<Lookup::Endpoints> resolve(SteadyTime deadline) {
        const auto& address = settings_.address.empty() ? settings_.fqdn : settings_.address;
        const auto [host, port] = MTKEY_TRY(parse_address(address, settings_.port));
        auto found = blocking_.look_up(host, port, deadline);
        return found ? std::move(found) : stopped(found.error());
    }

    Result<void> connect_to(const tcp::endpoint& endpoint, SteadyTime deadline) {
        tcp::socket socket(blocking_.context());
        error_code code;
        socket.open(endpoint.protocol(), code);
        const auto& interface = settings_.interface;
        if (!code && !interface.empty() &&
            ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_BINDTODEVICE, interface.data(),
                         static_cast<socklen_t>(interface.size())) != 0) {
            return unreachable("interface " + interface,
                               error_code(errno, boost::system::system_category()));
        }
        if (!code && !settings_.local_address.empty()) {
            const auto local = asio::ip::make_address(settings_.local_address, code);
            if (code) {
                return fail(Errc::ConfigInvalid,
                            "\"" + settings_.local_address + "\" is not an address to bind to");
            }
            if (local.is_v4() != endpoint.address().is_v4()) {
                return unreachable("address of another family than " + settings_.local_address);
            }
            socket.bind({local, 0}, code);
        }
        if (code) {
            return unreachable("socket", code);
        }
        const auto reached =
            blocking_.await(socket, deadline, "connection", [&](Stream::Done done) {
                socket.async_connect(endpoint,
                                     [done = std::move(done)](error_code ec) { done(ec, 0); });
            });
        if (!reached) {
            return stopped(reached.error());
        }
        if (reached->code) {
            return unreachable("no connection", reached->code);
        }
        socket.set_option(tcp::no_delay(true), code);
        SslHandle ssl;
        if (context_ != nullptr) {
            ssl = MTKEY_TRY(client_handle(context_.get(), settings_.fqdn));
        }
        stream_ = make_stream(std::move(socket), std::move(ssl), Side::Client);
        const auto shaken = MTKEY_TRY(await(deadline, "TLS handshake", [&](Stream::Done done) {
            stream_->handshake(std::move(done));
        }));
        if (is_tls_failure(shaken.code)) {
            return untrusted(shaken.code);
        }
        if (shaken.code) {
            return unreachable("TLS handshake", shaken.code);
        }
        verified_ = stream_->ssl() != nullptr;
        return {};
    }

    Result<HttpResponse> exchange_until(SteadyTime deadline, const HttpRequest& request,
                                        const std::string& text) {
        const bool kept = usable();
        if (!kept) {
            MTKEY_CHECK(connect_until(deadline));
        }
        const bool head = request.method == "HEAD";
        bool silent_end = false;
        auto answer = talk(deadline, text, head, silent_end);
        if (!answer && kept && silent_end && !request.repeatable) {
            answer.error().code = Errc::LinkLost;
        } else if (!answer && kept && silent_end) {
            // The peer closed the kept connection while our request was on its way.
            MTKEY_CHECK(connect_until(deadline));
            answer = talk(deadline, text, head, silent_end);
        }
        if (!answer) {
            drop();
        }
        return answer;
    }

    /// `silent_end`: the connection ended before one octet of an answer came.
    Result<HttpResponse> talk(SteadyTime deadline, const std::string& text, bool head,
                              bool& silent_end) {
        silent_end = false;
        ResponseReader reader({settings_.header_limit, settings_.body_limit}, head);
        const auto written = MTKEY_TRY(await(deadline, "request", [&](Stream::Done done) {
            stream_->write(as_octets(text), std::move(done));
        }));
        // After a failed write there may still be an answer, or a TLS alert that says why.
        while (true) {
            const auto got = MTKEY_TRY(await(deadline, "answer", [&](Stream::Done done) {
                stream_->read_some(buffer_, std::move(done));
            }));
            if (is_tls_failure(got.code)) {
                return untrusted(got.code);
            }
            if (got.code) {
                silent_end = !reader.started();
                // Only a proper end (over TLS: with close_notify) may complete an answer.
                if (got.code == asio::error::eof && reader.started()) {
                    if (const auto end = reader.end(); !end) {
                        return end.error().code == Errc::LinkLost
                                   ? unreachable(end.error().context, got.code)
                                   : Result<HttpResponse>(std::unexpected(end.error()));
                    }
                    break;
                }
                return unreachable("connection ended", written.code ? written.code : got.code);
            }
            auto complete = reader.feed(ByteView(buffer_).first(got.count));
            if (!complete) {
                complete.error().context = settings_.fqdn + ": " + complete.error().context;
                complete.error().detail = 0;
                return std::unexpected(std::move(complete).error());
            }
            if (*complete) {
                break;
            }
        }
        const bool keep = reader.keep_alive() && !written.code;
        auto answer = reader.take();
        if (!keep) {
            drop();
        }
        return answer;
    }

    ClientSettings settings_;
    std::string host_;  ///< RFC 9110 section 7.2
    Blocking blocking_; ///< outlives the stream
    SslContext context_;
    std::unique_ptr<Stream> stream_;
    std::optional<SteadyTime> run_end_;
    bool verified_ = false;
    bool refused_or_ended_ =
        false; ///< the connection, by the peer: what unreachable() was last for
    std::array<std::uint8_t, 4096> buffer_{};
};

Client::Client(ClientSettings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}
Client::~Client() = default;

std::string_view Client::fqdn() const {
    return impl_->fqdn();
}

bool Client::authenticated() const {
    return impl_->authenticated();
}

Result<HttpResponse> Client::exchange(const HttpRequest& request) {
    try {
        return impl_->exchange(request);
    } catch (const std::exception& e) { // Asio, and no memory
        impl_->drop();
        return fail(Errc::Internal, std::string("HTTP client: ") + e.what());
    }
}

Result<void> Client::connect() {
    try {
        return impl_->connect();
    } catch (const std::exception& e) {
        impl_->drop();
        return fail(Errc::Internal, std::string("HTTP client: ") + e.what());
    }
}

void Client::cancel() {
    impl_->cancel();
}

} // namespace mtkey::http
