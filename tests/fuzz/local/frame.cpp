// SPDX-License-Identifier: Apache-2.0
// Octets of a link into frames, both framings, in pieces. What comes out must go in again.
#include "local/framing.hpp"

#include <cstdlib>

using namespace mtkey;
using namespace mtkey::local;

namespace {

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

void check(Framing framing, const Frame& frame) {
    require(kFrameHeader + frame.payload.size() <= kLargestFrame);
    Bytes octets;
    append_frame(octets, framing, frame);
    FrameReader reader(framing, frame.direction, kLargestFrame);
    ByteView rest(octets);
    auto again = reader.next(rest);
    require(again && *again && (*again)->payload == frame.payload && (*again)->type == frame.type &&
            (*again)->channel == frame.channel && rest.empty());
    require(framing == Framing::LengthPrefixed || (*again)->sequence == frame.sequence);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const Framing framing = (data[0] & 1) != 0 ? Framing::Cobs : Framing::LengthPrefixed;
    const auto direction =
        (data[0] & 2) != 0 ? kdf::Direction::MtToDevice : kdf::Direction::DeviceToMt;
    const std::size_t step = data[1] + 1U;
    const unsigned accept_after = data[0] >> 4;
    FrameReader reader(framing, direction, kLargestFrame);
    unsigned frames = 0;
    for (ByteView octets(data + 2, size - 2); !octets.empty();) {
        ByteView piece = octets.first(std::min(step, octets.size()));
        octets = octets.subspan(piece.size());
        for (;;) {
            auto next = reader.next(piece);
            if (!next) {
                return 0;
            }
            if (!*next) {
                require(piece.empty());
                break;
            }
            require((*next)->direction == direction);
            check(framing, **next);
            if (frames++ >= accept_after) {
                reader.accept();
            }
        }
    }
    return 0;
}
