// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/wire_faults.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <string_view>

namespace mtkey::bsf {
namespace {

using Piece = http::ShapedAnswer::Piece;

constexpr std::size_t kLong = 1024 * 1024;
constexpr std::size_t kChunk = 7;
constexpr std::size_t kLongestStored = 0xFFFF; // of one deflate block
constexpr std::chrono::seconds kOctetPause{1};
constexpr std::chrono::hours kNever{24};

void append_little_endian(std::string& out, std::uint32_t value, int octets) {
    for (int i = 0; i < octets; ++i) {
        out.push_back(static_cast<char>((value >> (8 * i)) & 0xFF));
    }
}

std::uint32_t crc32(std::string_view text) {
    std::uint32_t crc = 0xFFFF'FFFF;
    for (const char c : text) {
        crc ^= static_cast<std::uint8_t>(c);
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB8'8320 : 0);
        }
    }
    return ~crc;
}

/// RFC 1952, its content stored (RFC 1951 section 3.2.4): a fault needs no compression.
std::string gzip(std::string_view body) {
    using namespace std::string_view_literals;
    const auto size = static_cast<std::uint32_t>(std::min(body.size(), kLongestStored));
    body = body.substr(0, size);
    std::string out("\x1f\x8b\x08\0\0\0\0\0\0\xff\x01"sv);
    append_little_endian(out, size, 2);
    append_little_endian(out, ~size, 2);
    out += body;
    append_little_endian(out, crc32(body), 4);
    append_little_endian(out, size, 4);
    return out;
}

std::string in_chunks(std::string_view body) {
    std::string out;
    while (!body.empty()) {
        const auto part = body.substr(0, kChunk);
        std::array<char, 16> size{};
        (void)std::snprintf(size.data(), size.size(), "%zx", part.size());
        out.append(size.data()).append("\r\n").append(part).append("\r\n");
        body.remove_prefix(part.size());
    }
    return out + "0\r\n\r\n";
}

/// Head without its empty line, and body.
struct Answer {
    std::string head;
    std::string body;

    void remove(std::string_view field) {
        const auto at = head.find(field);
        if (at != std::string::npos) {
            head.erase(at, head.find("\r\n", at) + 2 - at);
        }
    }
    void add(std::string_view line) { head.append(line).append("\r\n"); }
    void set_body(std::string content) {
        body = std::move(content);
        remove("Content-Length:");
        add("Content-Length: " + std::to_string(body.size()));
    }
};

Answer split(const std::string& octets) {
    const auto end = octets.find("\r\n\r\n");
    return {octets.substr(0, end + 2), octets.substr(end + 4)};
}

void lower_names(std::string& head) {
    for (auto line = head.find("\r\n") + 2; line < head.size();
         line = head.find("\r\n", line) + 2) {
        const auto colon = head.find(':', line);
        for (auto i = line; i < colon; ++i) {
            head[i] = static_cast<char>(std::tolower(static_cast<unsigned char>(head[i])));
        }
    }
}

void change(const Faults& faults, Answer& answer) {
    if (faults.has(Fault::LongBody)) {
        answer.set_body(answer.body + std::string(kLong, ' '));
    }
    if (faults.has(Fault::Gzip) && !answer.body.empty()) {
        answer.set_body(gzip(answer.body));
        answer.add("Content-Encoding: gzip");
    }
    if (faults.has(Fault::Chunked) && !answer.body.empty()) {
        answer.remove("Content-Length:");
        answer.add("Transfer-Encoding: chunked");
        answer.body = in_chunks(answer.body);
    }
    if (faults.has(Fault::LongHeaders)) {
        answer.add("X-Long: " + std::string(kLong, 'x'));
    }
    if (faults.has(Fault::LowerCaseHeaders)) {
        lower_names(answer.head);
    }
}

} // namespace

bool any_on_wire(const Faults& faults) {
    return std::ranges::any_of(std::array{Fault::Gzip, Fault::Chunked, Fault::LowerCaseHeaders,
                                          Fault::OneOctetSegments, Fault::SlowBody, Fault::CutBody,
                                          Fault::LongHeaders, Fault::LongBody, Fault::Garbage,
                                          Fault::NoAnswer, Fault::CloseAtOnce},
                               [&](Fault fault) { return faults.has(fault); });
}

http::ShapedAnswer shape_answer(const Faults& faults, const std::string& octets) {
    http::ShapedAnswer out;
    if (faults.has(Fault::NoAnswer)) {
        out.pieces.push_back({kNever, {}});
        return out;
    }
    if (faults.has(Fault::CloseAtOnce)) {
        return out;
    }
    if (faults.has(Fault::Garbage)) {
        out.pieces.push_back({{}, "\x16\x03\x01 this is no HTTP\r\n\r\n"});
        out.close = true;
        return out;
    }
    auto answer = split(octets);
    change(faults, answer);
    const auto head = answer.head + "\r\n";
    if (faults.has(Fault::CutBody) && !answer.body.empty()) {
        out.pieces.push_back({{}, head + answer.body.substr(0, answer.body.size() / 2)});
        out.close = true;
    } else if (faults.has(Fault::OneOctetSegments)) {
        for (const char c : head + answer.body) {
            out.pieces.push_back({{}, std::string(1, c)});
        }
    } else if (faults.has(Fault::SlowBody)) {
        out.pieces.push_back({{}, head});
        for (const char c : answer.body) {
            out.pieces.push_back({kOctetPause, std::string(1, c)});
        }
    } else {
        out.pieces.push_back({{}, head + answer.body});
    }
    return out;
}

} // namespace mtkey::bsf
