// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "local/framing.hpp"
#include "local/messages.hpp"

namespace mtkey::local::test {

/// Speaks frames without a session behind it.
struct RawPeer {
    RawPeer(Framing how, Role role)
        : framing(how),
          direction(role == Role::Device ? kdf::Direction::DeviceToMt : kdf::Direction::MtToDevice),
          reader(how,
                 role == Role::Device ? kdf::Direction::MtToDevice : kdf::Direction::DeviceToMt,
                 kLargestFrame) {}
    Bytes frame(MessageType type, Bytes payload, std::uint8_t channel = 0) {
        Frame out;
        out.direction = direction;
        out.type = static_cast<std::uint8_t>(type);
        out.channel = channel;
        out.payload = std::move(payload);
        out.sequence = number++;
        Bytes octets;
        append_frame(octets, framing, out);
        return octets;
    }
    std::vector<Frame> read(const Bytes& octets) {
        std::vector<Frame> frames;
        ByteView rest(octets);
        while (auto next = reader.next(rest).value()) {
            reader.accept();
            frames.push_back(std::move(*next));
        }
        return frames;
    }
    Framing framing;
    kdf::Direction direction;
    FrameReader reader;
    std::uint16_t number = 100;
};

} // namespace mtkey::local::test
