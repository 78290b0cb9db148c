// SPDX-License-Identifier: Apache-2.0
#include "http/codec.hpp"

#include <gtest/gtest.h>

namespace mtkey::http {
namespace {

constexpr Limits kLimits{1024, 64};
constexpr int kIncomplete = 0; ///< valid so far

constexpr std::string_view kMore = "\r\n\r\nmore\r\n\r\n";

using namespace std::string_literals;

/// 200 and so on = what a server answers to a bad request; 1 = good; kIncomplete.
int verdict_on_request(const std::string& text, std::size_t piece) {
    RequestReader reader(kLimits);
    for (std::size_t at = 0; at < text.size(); at += piece) {
        const auto complete =
            reader.feed(as_octets(text).subspan(at, std::min(piece, text.size() - at)));
        if (!complete) {
            EXPECT_NE(complete.error().detail, 0U);
            return static_cast<int>(complete.error().detail);
        }
        if (*complete) {
            return 1;
        }
    }
    return kIncomplete;
}

struct RequestRow {
    const char* what;
    std::string text;
    int verdict;
};

TEST(RequestReader, JudgesEachRequestWholeAndInPieces) {
    const std::string host = "Host: a\r\n";
    const std::vector<RequestRow> rows{
        {"GET", "GET / HTTP/1.1\r\n" + host + "\r\n", 1},
        {"POST", "POST /x HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabc", 1},
        {"method of its own", "BREW /pot HTTP/1.1\r\n" + host + "\r\n", 1},
        {"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 1},
        {"chunked",
         "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
         1},
        {"chunk extension",
         "POST / HTTP/1.1\r\n" + host +
             "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n",
         1},
        {"trailer",
         "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", 1},
        {"same length twice",
         "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 1},
        {"largest body",
         "POST / HTTP/1.1\r\n" + host + "Content-Length: 64\r\n\r\n" + std::string(64, 'x'), 1},
        {"not finished", "GET / HTTP/1.1\r\n" + host, kIncomplete},
        {"body not finished", "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nab",
         kIncomplete},
        {"nothing", "", kIncomplete},
        {"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
        {"two Hosts", "GET / HTTP/1.1\r\n" + host + host + "\r\n", 400},
        {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
        {"HTTP/0.9", "GET /\r\n", 400},
        {"HTTP/1.2", "GET / HTTP/1.2\r\n" + host + "\r\n", 400},
        {"TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, 400},
        {"no target", "GET  HTTP/1.1\r\n" + host + "\r\n", 400},
        {"NUL in the target", "GET /\0 HTTP/1.1\r\n"s + host + "\r\n", 400},
        {"NUL in a value", "GET / HTTP/1.1\r\n" + host + "X: a\0b\r\n\r\n"s, 400},
        {"bare CR in a value", "GET / HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n", 400},
        {"bare LF", "GET / HTTP/1.1\n" + host + "\r\n", 400},
        {"space before the colon", "GET / HTTP/1.1\r\n" + host + "X : y\r\n\r\n", 400},
        {"no colon", "GET / HTTP/1.1\r\n" + host + "Xy\r\n\r\n", 400},
        {"length and chunked",
         "POST / HTTP/1.1\r\n" + host +
             "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"chunked and length",
         "POST / HTTP/1.1\r\n" + host +
             "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
         400},
        {"two lengths",
         "POST / HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
        {"negative length", "POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", 400},
        {"length with a sign", "POST / HTTP/1.1\r\n" + host + "Content-Length: +3\r\n\r\nabc", 400},
        {"hex length", "POST / HTTP/1.1\r\n" + host + "Content-Length: 0x3\r\n\r\nabc", 400},
        {"length above 2^64",
         "POST / HTTP/1.1\r\n" + host + "Content-Length: 18446744073709551617\r\n\r\n", 400},
        {"empty length", "POST / HTTP/1.1\r\n" + host + "Content-Length: \r\n\r\n", 400},
        {"other coding", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 400},
        {"two codings",
         "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
        {"chunked not last",
         "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400},
        {"chunked twice",
         "POST / HTTP/1.1\r\n" + host +
             "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"chunked look-alike",
         "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
        {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400},
        {"bad chunk size",
         "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
        {"negative chunk",
         "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400},
        {"chunk longer than said",
         "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
         400},
        {"body above the limit", "POST / HTTP/1.1\r\n" + host + "Content-Length: 65\r\n\r\n", 413},
        {"chunk above the limit",
         "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n41\r\n", 413},
        {"chunk size above 2^63",
         "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
         413},
        {"long field", "GET / HTTP/1.1\r\n" + host + "X: " + std::string(2000, 'x') + "\r\n\r\n",
         431},
        {"long target", "GET /" + std::string(2000, 'x') + " HTTP/1.1\r\n" + host + "\r\n", 431},
        {"long method", std::string(2000, 'X'), 431},
        {"endless chunk extension",
         "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1;" +
             std::string(2000, 'x'),
         431},
    };
    for (auto row : rows) {
        if (row.verdict == 400 || row.verdict == 413) {
            row.text += kMore; // the parser may wait for the end of a line before it says no
        }
        EXPECT_EQ(verdict_on_request(row.text, 1 << 20), row.verdict) << row.what;
        EXPECT_EQ(verdict_on_request(row.text, 1), row.verdict) << row.what << ", octet by octet";
        EXPECT_EQ(verdict_on_request(row.text, 7), row.verdict) << row.what << ", by sevens";
    }
}

TEST(RequestReader, ManySmallChunksWithLongExtensionsEnd) {
    RequestReader reader(kLimits);
    ASSERT_TRUE(
        reader.feed(as_octets("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")));
    const std::string chunk = "1;x=" + std::string(500, 'x') + "\r\nA\r\n";
    Result<bool> complete = false;
    for (int i = 0; i < 100 && complete; ++i) {
        complete = reader.feed(as_octets(chunk));
    }
    ASSERT_FALSE(complete);
    EXPECT_EQ(complete.error().code, Errc::LimitExceeded);
}

TEST(RequestReader, GivesWhatWasSaid) {
    RequestReader reader(kLimits);
    EXPECT_FALSE(reader.started());
    const auto complete =
        reader.feed(as_octets("POST /p?q HTTP/1.1\r\nhOsT: a\r\nX:  two  words \r\nX: again\r\n"
                              "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n"
                              "Trailer: no\r\n\r\nGET /next"));
    ASSERT_TRUE(complete && *complete);
    EXPECT_TRUE(reader.keep_alive());
    EXPECT_EQ(reader.surplus(), "GET /next");
    const auto request = reader.take();
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.target, "/p?q");
    EXPECT_EQ(request.body, "abc");
    EXPECT_EQ(request.headers.all("x"), (std::vector<std::string_view>{"two  words", "again"}));
    EXPECT_TRUE(request.headers.all("Trailer").empty());
}

TEST(RequestReader, KeepsTheConnectionOnlyOfHttp11) {
    for (const auto& [text, keep] :
         {std::pair("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
          std::pair("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", false),
          std::pair("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", false)}) {
        RequestReader reader(kLimits);
        ASSERT_TRUE(reader.feed(as_octets(text)));
        EXPECT_EQ(reader.keep_alive(), keep) << text;
    }
}

TEST(ResponseReader, AnAnswerWithoutALengthIsCompleteAtTheEnd) {
    ResponseReader reader(kLimits, false);
    ASSERT_TRUE(reader.feed(as_octets("HTTP/1.1 200 OK\r\n\r\nabc")));
    ASSERT_TRUE(reader.end());
    EXPECT_FALSE(reader.keep_alive());
    EXPECT_EQ(reader.take().body, "abc");

    ResponseReader coded(kLimits, false);
    ASSERT_TRUE(coded.feed(as_octets("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nabc")));
    EXPECT_EQ(coded.end().error().code, Errc::Malformed);
}

TEST(ResponseReader, EveryOtherAnswerIsCutOffAtTheEnd) {
    const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    for (std::size_t length = 0; length < text.size(); ++length) {
        ResponseReader reader(kLimits, false);
        const auto complete = reader.feed(as_octets(text).first(length));
        ASSERT_TRUE(complete && !*complete) << length;
        const auto end = reader.end();
        ASSERT_FALSE(end) << length;
        EXPECT_EQ(end.error().code, Errc::LinkLost);
    }
    ResponseReader chunked(kLimits, false);
    ASSERT_TRUE(
        chunked.feed(as_octets("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")));
    EXPECT_FALSE(chunked.end());
}

TEST(ResponseReader, OctetsBehindTheAnswerEndTheConnection) {
    const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    ResponseReader reader(kLimits, false);
    ASSERT_TRUE(reader.feed(as_octets(text)));
    EXPECT_TRUE(reader.keep_alive());
    ResponseReader more(kLimits, false);
    ASSERT_TRUE(more.feed(as_octets(text + "H")));
    EXPECT_FALSE(more.keep_alive());
}

TEST(Encode, WritesRequests) {
    HttpRequest request;
    request.headers.add("X-One", "1");
    EXPECT_EQ(
        encode(request, "bsf.example.org").value(),
        "GET / HTTP/1.1\r\nHost: bsf.example.org\r\nX-One: 1\r\nAccept-Encoding: identity\r\n\r\n");
    HttpRequest post{"POST", "/x", {}, "ab"};
    post.headers.add("accept-encoding", "br");
    EXPECT_EQ(encode(post, "h").value(),
              "POST /x HTTP/1.1\r\nHost: h\r\naccept-encoding: br\r\nContent-Length: 2\r\n\r\nab");
}

TEST(Encode, WritesResponses) {
    HttpResponse response{404, {}, "no"};
    response.headers.add("Date", "now");
    EXPECT_EQ(encode(response, true, false).value(),
              "HTTP/1.1 404 Not Found\r\nDate: now\r\nContent-Length: 2\r\n\r\nno");
    EXPECT_EQ(
        encode(response, false, true).value(),
        "HTTP/1.1 404 Not Found\r\nDate: now\r\nContent-Length: 2\r\nConnection: close\r\n\r\n");
    response.status = 204;
    EXPECT_EQ(encode(response, true, false).value(),
              "HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n");
    response.status = 100;
    EXPECT_FALSE(encode(response, true, false));
    const auto dated = encode(HttpResponse{}, true, false).value();
    EXPECT_NE(dated.find("\r\nDate: "), std::string::npos);
    EXPECT_NE(dated.find(" GMT\r\n"), std::string::npos);
}

TEST(Encode, RefusesWhatWouldSplitTheMessage) {
    const auto with = [](std::string name, std::string value) {
        HttpRequest request;
        request.headers.add(std::move(name), std::move(value));
        return request;
    };
    for (const auto& request :
         {with("X", "a\r\nY: b"), with("X", "a\nb"), with("X", "a\0b"s), with("X\r\nY", "a"),
          with("", "a"), with("X Y", "a"), with("Host", "other"), with("content-length", "1"),
          with("Connection", "close"), with("Transfer-Encoding", "chunked"),
          HttpRequest{"GET ", "/", {}, ""}, HttpRequest{"GET", "/ HTTP/1.1\r\nX: y", {}, ""},
          HttpRequest{"GET", "", {}, ""}, HttpRequest{"GET", "/\x80", {}, ""}}) {
        const auto text = encode(request, "h");
        ASSERT_FALSE(text) << *text;
        EXPECT_EQ(text.error().code, Errc::InvalidArgument);
    }
    EXPECT_FALSE(encode(HttpRequest{}, "h\r\nX: y"));
    HttpResponse response;
    response.headers.add("X", "a\r\nY: b");
    EXPECT_FALSE(encode(response, true, false));
}

} // namespace
} // namespace mtkey::http
