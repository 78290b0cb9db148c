// SPDX-License-Identifier: Apache-2.0
// What a peer may answer, and what becomes of it when the peer then ends the connection.
#include "http/codec.hpp"

#include <gtest/gtest.h>

#include <set>

namespace mtkey::http {
namespace {

using namespace std::string_literals;

constexpr Limits kLimits{1024, 64};

/// A status, or minus Errc.
constexpr int minus(Errc code) {
    return -1 - static_cast<int>(code);
}
constexpr int kBad = minus(Errc::Malformed);
constexpr int kLarge = minus(Errc::LimitExceeded);
constexpr int kCut = minus(Errc::LinkLost);

struct Verdict {
    int code = 0;
    std::string body{};
};

Verdict judge(const std::string& text, std::size_t piece, bool head) {
    ResponseReader reader(kLimits, head);
    for (std::size_t at = 0; at < text.size(); at += piece) {
        const auto complete =
            reader.feed(as_octets(text).subspan(at, std::min(piece, text.size() - at)));
        if (!complete) {
            return {minus(complete.error().code)};
        }
        if (*complete) {
            auto answer = reader.take();
            return {static_cast<int>(answer.status), std::move(answer.body)};
        }
    }
    if (const auto end = reader.end(); !end) {
        return {minus(end.error().code)};
    }
    auto answer = reader.take();
    return {static_cast<int>(answer.status), std::move(answer.body)};
}

struct Row {
    const char* what;
    std::string text;
    int verdict;
    std::string body{}; ///< of a good one
    bool head = false;
};

std::string repeated(const std::string& text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) {
        out += text;
    }
    return out;
}

std::vector<Row> rows() {
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    const std::string empty = "Content-Length: 0\r\n\r\n";
    const std::string chunked = "Transfer-Encoding: chunked\r\n";
    const std::string end = "0\r\n\r\n";
    const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    return {
        // status lines
        {"200", ok + empty, 200},
        {"no reason phrase", "HTTP/1.1 401 \r\n" + empty, 401},
        {"no space behind the status", "HTTP/1.1 401\r\n" + empty, kBad},
        {"a reason of other letters", "HTTP/1.1 403 Zugriff \xE4\r\n" + empty, 403},
        {"503", "HTTP/1.1 503 x\r\n" + empty, 503},
        {"599", "HTTP/1.1 599 x\r\n" + empty, 599},
        {"status 600", "HTTP/1.1 600 x\r\n" + empty, kBad},
        {"status 999", "HTTP/1.1 999 x\r\n" + empty, kBad},
        {"status 099", "HTTP/1.1 099 x\r\n" + empty, kBad},
        {"status 000", "HTTP/1.1 000 x\r\n" + empty, kBad},
        {"status of two digits", "HTTP/1.1 20 OK\r\n" + empty, kBad},
        {"status of four digits", "HTTP/1.1 2000 OK\r\n" + empty, kBad},
        {"status with a sign", "HTTP/1.1 +20 OK\r\n" + empty, kBad},
        {"status in hex", "HTTP/1.1 0xC OK\r\n" + empty, kBad},
        {"no status", "HTTP/1.1  OK\r\n" + empty, kBad},
        {"HTTP/1.0", "HTTP/1.0 200 OK\r\n" + empty, 200},
        {"HTTP/1.2", "HTTP/1.2 200 OK\r\n" + empty, kBad},
        {"HTTP/0.9", "HTTP/0.9 200 OK\r\n" + empty, kBad},
        {"HTTP/2", "HTTP/2 200\r\n" + empty, kBad},
        {"HTTP/11.1", "HTTP/11.1 200 OK\r\n" + empty, kBad},
        {"small letters", "http/1.1 200 OK\r\n" + empty, kBad},
        {"two spaces", "HTTP/1.1  200 OK\r\n" + empty, kBad},
        {"a space in front", " HTTP/1.1 200 OK\r\n" + empty, kBad},
        {"a line end in front", "\r\n" + ok + empty, kBad},
        {"a tab for a space", "HTTP/1.1\t200 OK\r\n" + empty, kBad},
        {"NUL in the reason", "HTTP/1.1 200 O\0K\r\n"s + empty, kBad},
        {"a request", "GET / HTTP/1.1\r\n\r\n", kBad},
        {"another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n", kBad},
        {"HTML alone", "<html><body>404</body></html>\r\n\r\n", kBad},
        {"TLS alert", "\x15\x03\x03\x00\x02\x02\x28\r\n\r\n"s, kBad},
        {"HTTP/2 settings", "\x00\x00\x12\x04\x00\x00\x00\x00\x00\r\n\r\n"s, kBad},
        {"a long status line", "HTTP/1.1 200 " + std::string(2000, 'x') + "\r\n" + empty, kLarge},
        // fields
        {"names in any case", ok + "cONTENT-lENGTH: 1\r\n\r\na", 200, "a"},
        {"no space behind the colon", ok + "Content-Length:1\r\n\r\na", 200, "a"},
        {"spaces around a value", ok + "Content-Length: \t 1 \t\r\n\r\na", 200, "a"},
        {"an empty value", ok + "X:\r\n" + empty, 200},
        {"octets above 127", ok + "X: \xC3\xA4\r\n" + empty, 200},
        {"no colon", ok + "X y\r\n" + empty, kBad},
        {"no name", ok + ": y\r\n" + empty, kBad},
        {"a space before the colon", ok + "X : y\r\n" + empty, kBad},
        {"a tab before the colon", ok + "X\t: y\r\n" + empty, kBad},
        {"a space in front of a name", ok + " X: y\r\n" + empty, kBad},
        {"a name in parentheses", ok + "(X): y\r\n" + empty, kBad},
        {"NUL in a value", ok + "X: a\0b\r\n"s + empty, kBad},
        {"NUL in a name", ok + "X\0Y: b\r\n"s + empty, kBad},
        {"a control character", ok + "X: a\x01" + "b\r\n" + empty, kBad},
        {"DEL", ok + "X: a\x7F\r\n" + empty, kBad},
        {"CR alone", ok + "X: a\rb\r\n" + empty, kBad},
        {"LF alone", "HTTP/1.1 200 OK\nX: y\n\n\r\n\r\n", kBad},
        {"LF alone in a field", ok + "X: a\nY: b\r\n" + empty, kBad},
        {"a folded field", ok + "X: a\r\n b\r\n" + empty, 200},
        {"1 KiB of fields and more", ok + repeated("X: yyyyyyyyyyyyyyyy\r\n", 60) + empty, kLarge},
        {"a long field", ok + "X: " + std::string(1 << 20, 'x'), kLarge},
        {"a long name", ok + std::string(1 << 20, 'x'), kLarge},
        {"cut in the fields", ok + "X: y\r\n", kCut},
        {"cut in the status line", "HTTP/1.1 2", kCut},
        {"nothing", "", kCut},
        // lengths
        {"a length", ok + "Content-Length: 2\r\n\r\nab", 200, "ab"},
        {"leading zeros", ok + "Content-Length: 0000000002\r\n\r\nab", 200, "ab"},
        {"the largest body", ok + "Content-Length: 64\r\n\r\n" + std::string(64, 'x'), 200,
         std::string(64, 'x')},
        {"a larger one", ok + "Content-Length: 65\r\n\r\n", kLarge},
        {"1 GiB", ok + "Content-Length: 1073741824\r\n\r\n", kLarge},
        {"2^64 - 1", ok + "Content-Length: 18446744073709551615\r\n\r\n", kLarge},
        {"2^64", ok + "Content-Length: 18446744073709551616\r\n\r\n", kBad},
        {"2^64 + 1", ok + "Content-Length: 18446744073709551617\r\n\r\na", kBad},
        {"the same twice", ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 200, "a"},
        {"two", ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", kBad},
        {"a list of the same", ok + "Content-Length: 1, 1\r\n\r\na", 200, "a"},
        {"a list", ok + "Content-Length: 1, 2\r\n\r\nab", kBad},
        {"-1", ok + "Content-Length: -1\r\n\r\n", kBad},
        {"+1", ok + "Content-Length: +1\r\n\r\na", kBad},
        {"in hex", ok + "Content-Length: 0x1\r\n\r\na", kBad},
        {"1.0", ok + "Content-Length: 1.0\r\n\r\na", kBad},
        {"no number", ok + "Content-Length: one\r\n\r\n", kBad},
        {"an empty length", ok + "Content-Length: \r\n\r\n", kBad},
        {"cut", ok + "Content-Length: 3\r\n\r\nab", kCut},
        {"cut before the body", ok + "Content-Length: 3\r\n\r\n", kCut},
        {"more than said", ok + "Content-Length: 1\r\n\r\nabc", 200, "a"},
        {"until the end", ok + "\r\nabc", 200, "abc"},
        {"nothing until the end", ok + "\r\n", 200},
        {"too much until the end", ok + "\r\n" + std::string(65, 'x'), kLarge},
        // answers without a body
        {"204", "HTTP/1.1 204 No Content\r\n\r\n", 204},
        {"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304},
        {"HEAD", ok + "Content-Length: 64\r\n\r\n", 200, "", true},
        {"HEAD, chunked", ok + chunked + "\r\n", 200, "", true},
        // chunks
        {"chunks", ok + chunked + "\r\n1\r\na\r\n1\r\nb\r\n" + end, 200, "ab"},
        {"no chunk", ok + chunked + "\r\n" + end, 200},
        {"chunked in capitals", ok + "TRANSFER-ENCODING: CHUNKED\r\n\r\n1\r\na\r\n" + end, 200,
         "a"},
        {"size in capitals", ok + chunked + "\r\nA\r\n0123456789\r\n" + end, 200, "0123456789"},
        {"size with zeros", ok + chunked + "\r\n0001\r\na\r\n" + end, 200, "a"},
        {"extension", ok + chunked + "\r\n1;a=b\r\na\r\n" + end, 200, "a"},
        {"extension in quotes", ok + chunked + "\r\n1;a=\"b;c\"\r\na\r\n" + end, 200, "a"},
        {"trailer", ok + chunked + "\r\n1\r\na\r\n0\r\nX: y\r\n\r\n", 200, "a"},
        {"trailer with a length", ok + chunked + "\r\n1\r\na\r\n0\r\nContent-Length: 5\r\n\r\n",
         kBad},
        {"a size that is none", ok + chunked + "\r\nzz\r\na\r\n" + end, kBad},
        {"an empty size", ok + chunked + "\r\n\r\na\r\n" + end, kBad},
        {"size -1", ok + chunked + "\r\n-1\r\na\r\n" + end, kBad},
        {"size 0x1", ok + chunked + "\r\n0x1\r\na\r\n" + end, kBad},
        {"size with a space in front", ok + chunked + "\r\n 1\r\na\r\n" + end, kBad},
        {"size 2^64 - 1", ok + chunked + "\r\nffffffffffffffff\r\na", kLarge},
        {"size 2^64", ok + chunked + "\r\n10000000000000000\r\na\r\n" + end, kBad},
        {"size 2^64 + 1", ok + chunked + "\r\n10000000000000001\r\na\r\n" + end, kBad},
        {"longer than said", ok + chunked + "\r\n1\r\nab\r\n" + end, kBad},
        {"shorter than said", ok + chunked + "\r\n3\r\na\r\n" + end, kBad},
        {"no line end behind a chunk", ok + chunked + "\r\n1\r\na0\r\n\r\n", kBad},
        {"a chunk beyond the limit",
         ok + chunked + "\r\n41\r\n" + std::string(65, 'x') + "\r\n" + end, kLarge},
        {"chunks beyond the limit",
         ok + chunked + "\r\n" + repeated("30\r\n" + std::string(48, 'x') + "\r\n", 2) + end,
         kLarge},
        {"an extension without end", ok + chunked + "\r\n1;" + std::string(4000, 'x'), kLarge},
        {"a trailer without end", ok + chunked + "\r\n0\r\n" + repeated("X: y\r\n", 1000), kLarge},
        {"extensions on each chunk",
         ok + chunked + "\r\n" + repeated("1;" + std::string(200, 'x') + "\r\na\r\n", 60) + end,
         kLarge},
        {"cut in a chunk", ok + chunked + "\r\n5\r\nab", kCut},
        {"cut between chunks", ok + chunked + "\r\n1\r\na\r\n", kCut},
        {"cut before the last line", ok + chunked + "\r\n1\r\na\r\n0\r\n", kCut},
        {"cut in a size", ok + chunked + "\r\n1", kCut},
        // two ways to say a length, other codings
        {"length and chunked", ok + "Content-Length: 3\r\n" + chunked + "\r\n1\r\na\r\n" + end,
         kBad},
        {"chunked and length", ok + chunked + "Content-Length: 3\r\n\r\n1\r\na\r\n" + end, kBad},
        {"length of 0 and chunked", ok + "Content-Length: 0\r\n" + chunked + "\r\n" + end, kBad},
        {"chunked twice", ok + chunked + chunked + "\r\n" + end, kBad},
        {"chunked, chunked", ok + "Transfer-Encoding: chunked, chunked\r\n\r\n" + end, kBad},
        {"gzip, chunked", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n" + end, kBad},
        {"chunked, gzip", ok + "Transfer-Encoding: chunked, gzip\r\n\r\n" + end, kBad},
        {"gzip", ok + "Transfer-Encoding: gzip\r\n\r\n", kBad},
        {"identity", ok + "Transfer-Encoding: identity\r\n\r\na", kBad},
        {"chunked with a parameter", ok + "Transfer-Encoding: chunked;q=1\r\n\r\n" + end, kBad},
        {"xchunked", ok + "Transfer-Encoding: xchunked\r\n\r\n" + end, kBad},
        {"an empty coding", ok + "Transfer-Encoding:\r\n\r\n" + end, kBad},
        {"chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\n" + chunked + "\r\n" + end, kBad},
        {"content coding identity", ok + "Content-Encoding: identity\r\n" + empty, 200},
        {"content coding gzip", ok + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
         kBad},
        {"content coding in capitals", ok + "CONTENT-ENCODING: GZIP\r\n" + empty, kBad},
        {"content coding br", ok + "Content-Encoding: br\r\n" + empty, kBad},
        {"content codings", ok + "Content-Encoding: identity, gzip\r\n" + empty, kBad},
        {"two content codings",
         ok + "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n" + empty, kBad},
        // interim answers
        {"100", go_on + ok + empty, 200},
        {"103 with fields", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok + empty, 200},
        {"eight of them", repeated(go_on, 8) + ok + empty, 200},
        {"nine of them", repeated(go_on, 9) + ok + empty, kBad},
        {"twenty of them", repeated(go_on, 20), kBad},
        {"only one", go_on, kCut},
        {"switching protocols", "HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n", kBad},
        {"switching protocols behind 100", go_on + "HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\n", kBad},
        {"fields without end behind 100", go_on + ok + "X: " + std::string(4000, 'x'), kLarge},
    };
}

TEST(ResponseTable, EachWholeAndInPieces) {
    const auto table = rows();
    EXPECT_GE(table.size(), 100U);
    std::set<std::string> names;
    for (const auto& row : table) {
        EXPECT_TRUE(names.insert(row.what).second) << row.what;
        for (const std::size_t piece : {std::size_t{1} << 21, std::size_t{1}, std::size_t{7}}) {
            const auto verdict = judge(row.text, piece, row.head);
            EXPECT_EQ(verdict.code, row.verdict) << row.what << ", by " << piece;
            EXPECT_EQ(verdict.body, row.body) << row.what << ", by " << piece;
        }
    }
}

} // namespace
} // namespace mtkey::http
