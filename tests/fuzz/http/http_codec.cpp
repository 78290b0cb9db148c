// SPDX-License-Identifier: Apache-2.0
// HTTP messages in pieces: the first octet of the input says how long the pieces are, the second
// which reader.
#include "http/codec.hpp"

#include <cstdlib>

using namespace mtkey;

namespace {

constexpr http::Limits kLimits{1024, 256};

/// Whatever came in, what is handed out keeps the limits, and reading it in one piece says the
/// same.
void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

struct Verdict {
    bool complete = false;
    bool refused = false;
    std::string body;
};

template <typename Reader>
Verdict read(Reader& reader, ByteView octets, std::size_t piece) {
    while (!octets.empty()) {
        const auto part = octets.first(std::min(piece, octets.size()));
        octets = octets.subspan(part.size());
        const auto complete = reader.feed(part);
        if (!complete) {
            return {false, true, {}};
        }
        if (*complete) {
            auto message = reader.take();
            require(message.body.size() <= kLimits.body);
            return {true, false, std::move(message.body)};
        }
    }
    return {};
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const std::size_t piece = 1U + data[0] % 32;
    const ByteView octets(data + 2, size - 2);
    Verdict pieces;
    Verdict whole;
    if (data[1] % 2 == 0) {
        http::RequestReader in_pieces(kLimits);
        pieces = read(in_pieces, octets, piece);
        http::RequestReader at_once(kLimits);
        whole = read(at_once, octets, octets.size());
    } else {
        const bool head = data[1] % 4 == 3;
        http::ResponseReader in_pieces(kLimits, head);
        pieces = read(in_pieces, octets, piece);
        http::ResponseReader at_once(kLimits, head);
        whole = read(at_once, octets, octets.size());
        if (!pieces.complete && !pieces.refused && in_pieces.end()) {
            require(in_pieces.take().body.size() <= kLimits.body);
        }
    }
    // How a message is cut decides when a mistake is seen, never what a good message says.
    if (pieces.complete && whole.complete) {
        require(pieces.body == whole.body);
    }
    return 0;
}
