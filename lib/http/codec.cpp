// SPDX-License-Identifier: Apache-2.0
// Beast's push parser does the grammar of RFC 9112; what must not pass is added here.
#include "http/codec.hpp"

#include "base/secret.hpp"

#include <boost/beast/http/basic_parser.hpp>

namespace mtkey::http {
namespace {

namespace bhttp = boost::beast::http;
using boost::system::error_code;
using BoostText = boost::beast::string_view;

constexpr unsigned kMostInterimResponses = 8;
/// A body of one-octet chunks costs six octets per octet; chunk extensions beyond that are an
/// attack.
constexpr std::size_t kChunkOverhead = 8;
/// "0", two line ends. Beast 1.81 asserts that the last chunk is not shown to it in pieces that are
/// shorter.
constexpr std::size_t kShortestEndOfChunks = 5;

constexpr unsigned kBadRequest = 400;
constexpr unsigned kContentTooLarge = 413;
constexpr unsigned kFieldsTooLarge = 431;

std::string text_of(BoostText text) {
    return {text.data(), text.size()};
}

template <bool is_request>
class Parser final : public bhttp::basic_parser<is_request> {
public:
    explicit Parser(Limits limits) {
        this->eager(true);
        this->header_limit(static_cast<std::uint32_t>(limits.header));
        this->body_limit(limits.body);
        // The body may carry a key: it must not be copied by growing.
        body.reserve(limits.body);
    }

    std::string method;
    std::string target;
    unsigned status = 0;
    int version = 11;
    HttpHeaders headers;
    std::string body;

private:
    using Base = bhttp::basic_parser<is_request>;
    using Length = boost::optional<std::uint64_t>;

    void on_request_impl(bhttp::verb, BoostText name, BoostText where, int minor,
                         error_code&) override {
        method = text_of(name);
        target = text_of(where);
        version = minor;
    }
    void on_response_impl(int code, BoostText, int minor, error_code& ec) override {
        status = static_cast<unsigned>(code);
        version = minor;
        if (status < 100 || status > 599) {
            ec = bhttp::error::bad_status;
        }
    }
    void on_field_impl(bhttp::field name, BoostText name_text, BoostText value,
                       error_code& ec) override {
        if (in_trailer_) {
            return; // a trailer could not be told from a header field by who reads it
        }
        // One coding and one only (RFC 9112 section 6.1): anything else is where two readers
        // disagree on the length.
        if (name == bhttp::field::transfer_encoding &&
            (version < 11 || !equal_ignoring_case(text_of(value), "chunked"))) {
            ec = bhttp::error::bad_transfer_encoding;
            return;
        }
        headers.add(text_of(name_text), text_of(value));
    }
    void on_header_impl(error_code&) override { in_trailer_ = true; }
    void on_body_init_impl(const Length&, error_code&) override {}
    std::size_t on_body_impl(BoostText part, error_code& ec) override { return add(part, ec); }
    void on_chunk_header_impl(std::uint64_t, BoostText, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, BoostText part, error_code& ec) override {
        return add(part, ec);
    }
    void on_finish_impl(error_code&) override {}

    std::size_t add(BoostText part, error_code& ec) {
        if (part.size() > body.capacity() - body.size()) {
            ec = bhttp::error::body_limit; // Beast counts as well; this keeps the reserve a promise
            return 0;
        }
        body.append(part.data(), part.size());
        return part.size();
    }

    bool in_trailer_ = false;
};

Error error_of(const error_code& ec) {
    if (ec == bhttp::error::header_limit) {
        return {Errc::LimitExceeded, kFieldsTooLarge, "HTTP header"};
    }
    if (ec == bhttp::error::body_limit || ec == bhttp::error::buffer_overflow) {
        return {Errc::LimitExceeded, kContentTooLarge, "HTTP body"};
    }
    return {Errc::Malformed, kBadRequest, "HTTP message: " + ec.message()};
}

/// What both readers share: octets go in, a Parser takes what it can use.
template <bool is_request>
class Pump {
public:
    explicit Pump(Limits limits)
        : limits_(limits), parser_(std::make_unique<Parser<is_request>>(limits)) {
        pending_.reserve(2 * limits.header);
    }
    ~Pump() {
        wipe(pending_);
        wipe(parser_->body);
    }
    Pump(const Pump&) = delete;
    Pump& operator=(const Pump&) = delete;

    Result<bool> feed(ByteView octets) {
        total_ += octets.size();
        pending_.append(as_text(octets));
        return go_on();
    }

    /// Parses what is pending.
    Result<bool> go_on() {
        if (total_ > 2 * limits_.header + kChunkOverhead * limits_.body) {
            return fail(Errc::LimitExceeded, "HTTP message", kContentTooLarge);
        }
        if (pending_.empty() || parser_->is_done()) {
            return parser_->is_done();
        }
        if (in_chunks() && pending_.size() < kShortestEndOfChunks) {
            return false;
        }
        error_code ec;
        const auto used =
            parser_->put(boost::asio::const_buffer(pending_.data(), pending_.size()), ec);
        pending_.erase(0, used);
        if (ec == bhttp::error::need_more) {
            // Beast sets no limit on a chunk header or a trailer.
            if (pending_.size() > limits_.header) {
                return fail(Errc::LimitExceeded, "HTTP header", kFieldsTooLarge);
            }
            return false;
        }
        if (ec) {
            return std::unexpected(error_of(ec));
        }
        return parser_->is_done();
    }

    void restart() { parser_ = std::make_unique<Parser<is_request>>(limits_); }

    [[nodiscard]] Parser<is_request>& parser() { return *parser_; }
    [[nodiscard]] const Parser<is_request>& parser() const { return *parser_; }
    [[nodiscard]] const std::string& pending() const { return pending_; }
    [[nodiscard]] bool started() const { return total_ != 0; }

private:
    [[nodiscard]] bool in_chunks() const { return parser_->is_header_done() && parser_->chunked(); }

    Limits limits_;
    std::unique_ptr<Parser<is_request>> parser_;
    std::string pending_;
    std::size_t total_ = 0;
};

} // namespace

// ---- requests

class RequestReader::Impl : public Pump<true> {
public:
    using Pump::Pump;
};

RequestReader::RequestReader(Limits limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestReader::~RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;

Result<bool> RequestReader::feed(ByteView octets) {
    if (!MTKEY_TRY(impl_->feed(octets))) {
        return false;
    }
    // RFC 9112 section 3.2: a request of HTTP/1.1 names its host exactly once.
    const auto hosts = impl_->parser().headers.all("host").size();
    if (hosts > 1 || (hosts == 0 && impl_->parser().version >= 11)) {
        return fail(Errc::Malformed, "HTTP request with no Host or with two", kBadRequest);
    }
    return true;
}

bool RequestReader::started() const {
    return impl_->started();
}

bool RequestReader::keep_alive() const {
    return impl_->parser().version >= 11 && impl_->parser().keep_alive();
}

HttpRequest RequestReader::take() {
    auto& parser = impl_->parser();
    return {std::move(parser.method), std::move(parser.target), std::move(parser.headers),
            std::move(parser.body)};
}

std::string RequestReader::surplus() const {
    return impl_->pending();
}

// ---- responses

class ResponseReader::Impl : public Pump<false> {
public:
    Impl(Limits limits, bool head_request) : Pump(limits), head(head_request) {}
    bool head;
    unsigned interim = 0;
};

ResponseReader::ResponseReader(Limits limits, bool head)
    : impl_(std::make_unique<Impl>(limits, head)) {
    impl_->parser().skip(head);
}
ResponseReader::~ResponseReader() = default;

Result<bool> ResponseReader::feed(ByteView octets) {
    bool complete = MTKEY_TRY(impl_->feed(octets));
    while (complete && impl_->parser().status < 200) {
        // 101 changes the protocol, which nobody asked for.
        if (impl_->parser().status == 101 || ++impl_->interim > kMostInterimResponses) {
            return fail(Errc::Malformed, "HTTP answer: unexpected interim response");
        }
        impl_->restart();
        impl_->parser().skip(impl_->head);
        complete = MTKEY_TRY(impl_->go_on());
    }
    if (complete) {
        // identity was asked for; a coded body would be hashed and parsed as something that it is
        // not.
        for (const auto coding : impl_->parser().headers.all("content-encoding")) {
            if (!coding.empty() && !equal_ignoring_case(coding, "identity")) {
                return fail(Errc::Malformed, "HTTP answer with a content coding");
            }
        }
    }
    return complete;
}

Result<void> ResponseReader::end() {
    auto& parser = impl_->parser();
    if (!parser.is_done()) {
        error_code ec = bhttp::error::partial_message;
        if (parser.got_some() && impl_->pending().empty()) {
            parser.put_eof(ec);
        }
        if (ec) {
            return fail(Errc::LinkLost, "connection ended inside the HTTP answer");
        }
    }
    MTKEY_CHECK(feed({})); // the checks of a complete answer
    return {};
}

bool ResponseReader::started() const {
    return impl_->started();
}

bool ResponseReader::keep_alive() const {
    return impl_->parser().keep_alive() && impl_->pending().empty();
}

HttpResponse ResponseReader::take() {
    auto& parser = impl_->parser();
    return {parser.status, std::move(parser.headers), std::move(parser.body)};
}

} // namespace mtkey::http
