// SPDX-License-Identifier: Apache-2.0
#include "http/connection.hpp"

#include "base/log.hpp"
#include "base/secret.hpp"

#include <algorithm>

namespace mtkey::http {
namespace {

using boost::system::error_code;

/// After an early answer the peer may still be sending: read that away for a moment, or the reset
/// that closing would cause could overtake the answer.
constexpr std::chrono::seconds kLinger{2};
constexpr std::size_t kMostDiscarded = 256 * 1024;

} // namespace

Connection::Connection(ConnectionHost& host, std::unique_ptr<Stream> stream, std::string address)
    : host_(host),
      stream_(std::move(stream)),
      timer_(stream_->socket().get_executor()),
      pause_(stream_->socket().get_executor()) {
    peer_.address = std::move(address);
}

void Connection::start() {
    idle_since_ = std::chrono::steady_clock::now();
    end_ = *idle_since_ + std::chrono::seconds(host_.settings().connection_seconds);
    arm(std::chrono::seconds(host_.settings().request_seconds));
    stream_->handshake(then([this](error_code code, std::size_t) {
        if (code) {
            std::string reason = code.message();
            if (stream_->ssl() != nullptr) {
                const auto refused = verify_failure(stream_->ssl());
                reason = refused.empty() ? reason : "client certificate: " + refused;
            }
            log(LogLevel::Notice, "TLS handshake failed",
                {{"peer", peer_.address}, {"reason", reason}});
            // The alert that says so is on its way.
            error_code ignored;
            stream_->socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
            arm(kLinger);
            discard();
            return;
        }
        if (stream_->ssl() != nullptr) {
            read_certificate(stream_->ssl(), peer_);
        }
        next_request();
    }));
}

Stream::Done Connection::then(std::function<void(error_code, std::size_t)> step) {
    return [self = shared_from_this(), step = std::move(step)](error_code code, std::size_t count) {
        if (self->closed_) {
            return;
        }
        try {
            step(code, count);
        } catch (...) {
            self->close();
            throw;
        }
    };
}

void Connection::close() {
    if (closed_) {
        return;
    }
    closed_ = true;
    timer_.cancel();
    pause_.cancel();
    stream_->close();
    wipe(out_);
    wipe(std::span<std::uint8_t>(buffer_));
    host_.ended(shared_from_this());
}

std::optional<std::chrono::steady_clock::time_point> Connection::idle_since() const {
    return idle_since_;
}

void Connection::arm(std::chrono::steady_clock::duration time) {
    timer_.expires_after(time);
    timer_.async_wait([self = shared_from_this()](error_code code) {
        // A wait that had ended before it was armed anew comes here without an error code.
        if (!code && self->timer_.expiry() <= std::chrono::steady_clock::now()) {
            self->close();
        }
    });
}

void Connection::next_request() {
    std::string surplus;
    if (reader_) {
        surplus = reader_->surplus();
    }
    reader_.emplace(Limits{host_.settings().header_limit, host_.settings().body_limit});
    idle_since_ = std::chrono::steady_clock::now();
    arm(std::min<std::chrono::steady_clock::duration>(
        std::chrono::seconds(host_.settings().idle_seconds), end_ - *idle_since_));
    if (surplus.empty()) {
        read();
    } else {
        take_in(as_octets(surplus));
    }
}

void Connection::read() {
    stream_->read_some(buffer_, then([this](error_code code, std::size_t count) {
                           if (code) {
                               close();
                           } else {
                               take_in(ByteView(buffer_).first(count));
                           }
                       }));
}

void Connection::take_in(ByteView octets) {
    if (!reader_->started()) {
        idle_since_.reset();
        arm(std::chrono::seconds(host_.settings().request_seconds));
    }
    const auto complete = reader_->feed(octets);
    if (!complete) {
        refuse(complete.error());
    } else if (*complete) {
        serve();
    } else {
        read();
    }
}

void Connection::serve() {
    timer_.cancel();
    const bool keep_alive = reader_->keep_alive() && std::chrono::steady_clock::now() < end_;
    HttpRequest request = reader_->take();
    head_ = request.method == "HEAD";
    host_.handle(std::move(request), peer_,
                 [self = shared_from_this(), keep_alive](HttpResponse response) {
                     if (self->closed_) {
                         wipe(response.body);
                         return;
                     }
                     try {
                         self->answer(std::move(response), keep_alive);
                     } catch (...) {
                         self->close();
                         throw;
                     }
                 });
}

void Connection::answer(HttpResponse response, bool keep_alive) {
    auto text = encode(response, keep_alive, head_);
    wipe(response.body);
    if (!text) {
        log_error("answer of the handler", text.error());
        keep_alive = false;
        text = encode(HttpResponse{500, {}, {}}, false, head_);
    }
    out_ = std::move(*text);
    arm(std::chrono::seconds(host_.settings().request_seconds));
    if (host_.settings().shape) {
        shaped_ = host_.settings().shape(std::move(out_));
        std::ranges::reverse(shaped_.pieces);
        write_pieces(keep_alive && !shaped_.close);
    } else {
        write(keep_alive);
    }
}

void Connection::write(bool keep_alive) {
    stream_->write(as_octets(out_), then([this, keep_alive](error_code code, std::size_t) {
                       wipe(out_);
                       if (code) {
                           close();
                       } else if (!shaped_.pieces.empty()) {
                           write_pieces(keep_alive);
                       } else if (keep_alive) {
                           next_request();
                       } else {
                           finish();
                       }
                   }));
}

/// The next of them is the last of the list.
void Connection::write_pieces(bool keep_alive) {
    if (shaped_.pieces.empty()) {
        close();
        return;
    }
    out_ = std::move(shaped_.pieces.back().octets);
    pause_.expires_after(shaped_.pieces.back().pause);
    shaped_.pieces.pop_back();
    pause_.async_wait([step = then([this, keep_alive](error_code code, std::size_t) {
                           if (!code) {
                               write(keep_alive);
                           }
                       })](error_code code) { step(code, 0); });
}

void Connection::refuse(const Error& error) {
    log(LogLevel::Notice, "request refused", {{"peer", peer_.address}, {"reason", error.context}});
    HttpResponse response;
    response.status = error.detail;
    head_ = false;
    answer(std::move(response), false);
}

void Connection::finish() {
    arm(kLinger);
    if (stream_->ssl() != nullptr) {
        // Waits for the peer's close_notify; what else the peer sends is an error there and ends
        // it.
        stream_->shutdown(then([this](error_code, std::size_t) { discard(); }));
        return;
    }
    error_code ignored;
    stream_->socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored);
    discard();
}

void Connection::discard() {
    // Below TLS: these octets are nobody's message.
    stream_->socket().async_read_some(boost::asio::buffer(buffer_),
                                      then([this](error_code code, std::size_t count) {
                                          discarded_ += count;
                                          if (code || discarded_ > kMostDiscarded) {
                                              close();
                                          } else {
                                              discard();
                                          }
                                      }));
}

} // namespace mtkey::http
