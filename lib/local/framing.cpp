// SPDX-License-Identifier: Apache-2.0
#include "local/framing.hpp"

#include "local/cobs.hpp"

#include <algorithm>
#include <array>
#include <cassert>

namespace mtkey::local {

namespace {

constexpr std::array<std::uint8_t, 2> kMagic{0x4D, 0x4B}; // "MK"
constexpr std::size_t kPrefix = kMagic.size() + 2;        // magic and length
constexpr std::uint8_t kFormat = 0x01;
constexpr std::size_t kNumber = 2; // COBS: in front of the header
constexpr std::size_t kCrc = 4;    // COBS: behind the payload

void append_header_and_payload(Bytes& out, const Frame& frame) {
    out.push_back(kFormat);
    out.push_back(static_cast<std::uint8_t>(frame.direction));
    out.push_back(frame.type);
    out.push_back(frame.channel);
    append(out, frame.payload);
}

Result<Frame> parse_header(ByteView octets) {
    if (octets.size() < kFrameHeader || octets[0] != kFormat || octets[1] > 1) {
        return fail(Errc::ProtocolViolation, "frame header is not of this protocol");
    }
    Frame frame;
    frame.direction = static_cast<kdf::Direction>(octets[1]);
    frame.type = octets[2];
    frame.channel = octets[3];
    const ByteView payload = octets.subspan(kFrameHeader);
    frame.payload.assign(payload.begin(), payload.end());
    return frame;
}

std::size_t length_field(ByteView octets) {
    return static_cast<std::size_t>(octets[2]) << 8 | octets[3];
}

} // namespace

void append_frame(Bytes& out, Framing framing, const Frame& frame) {
    assert(kFrameHeader + frame.payload.size() <= kLargestFrame);
    if (framing == Framing::LengthPrefixed) {
        append(out, kMagic);
        append_u16(out, kFrameHeader + frame.payload.size());
        append_header_and_payload(out, frame);
        return;
    }
    Bytes block;
    append_u16(block, frame.sequence);
    append_header_and_payload(block, frame);
    const std::uint32_t crc = crc32(block);
    append_u16(block, crc >> 16);
    append_u16(block, crc & 0xFFFF);
    out.push_back(0); // ends whatever noise stands in front
    append(out, cobs_encode(block));
    out.push_back(0);
}

FrameReader::FrameReader(Framing framing, kdf::Direction from, std::size_t largest_frame)
    : framing_(framing), from_(from), largest_frame_(largest_frame) {}

Result<std::optional<Frame>> FrameReader::next(ByteView& octets) {
    return framing_ == Framing::Cobs ? next_cobs(octets) : next_length_prefixed(octets);
}

void FrameReader::accept() {
    in_step_ = true;
    if (candidate_) {
        candidate_ = false;
        buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(
                                                             kPrefix + length_field(buffer_)));
    }
}

/// Whether `octets`, however few they are, may be the beginning of a frame from the peer.
bool FrameReader::may_start_frame(ByteView octets) const {
    const auto is = [&](std::size_t at, std::uint8_t value) {
        return octets.size() <= at || octets[at] == value;
    };
    if (!is(0, kMagic[0]) || !is(1, kMagic[1])) {
        return false;
    }
    if (octets.size() >= kPrefix &&
        (length_field(octets) < kFrameHeader || length_field(octets) > largest_frame_)) {
        return false;
    }
    return is(kPrefix, kFormat) && is(kPrefix + 1, static_cast<std::uint8_t>(from_));
}

void FrameReader::drop_front(std::size_t count) {
    thrown_away_ += count;
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(count));
}

void FrameReader::find_start() {
    std::size_t at = 0;
    while (at < buffer_.size() && !may_start_frame(ByteView(buffer_).subspan(at))) {
        ++at;
    }
    drop_front(at);
}

Result<std::optional<Frame>> FrameReader::next_length_prefixed(ByteView& octets) {
    if (candidate_) { // the caller did not want it
        candidate_ = false;
        drop_front(1);
    }
    for (;;) {
        if (!in_step_) {
            find_start();
        } else if (!may_start_frame(buffer_)) {
            return fail(Errc::ProtocolViolation, "octets that begin no frame of the peer");
        }
        const std::size_t needed =
            buffer_.size() < kPrefix ? kPrefix : kPrefix + length_field(buffer_);
        if (buffer_.size() >= needed) {
            Frame frame =
                MTKEY_TRY(parse_header(ByteView(buffer_).subspan(kPrefix, needed - kPrefix)));
            if (in_step_) {
                buffer_.erase(buffer_.begin(),
                              buffer_.begin() + static_cast<std::ptrdiff_t>(needed));
            } else {
                candidate_ = true;
            }
            return frame;
        }
        if (octets.empty()) {
            return std::nullopt;
        }
        // Out of step, buffer_ may hold more than one frame's beginning, but never more than the
        // longest frame.
        const std::size_t count = std::min(octets.size(), needed - buffer_.size());
        append(buffer_, octets.first(count));
        octets = octets.subspan(count);
    }
}

Result<std::optional<Frame>> FrameReader::next_cobs(ByteView& octets) {
    const std::size_t longest = cobs_limit(kNumber + largest_frame_ + kCrc);
    while (!octets.empty()) {
        const auto end = std::ranges::find(octets, std::uint8_t{0});
        const auto count = static_cast<std::size_t>(end - octets.begin());
        if (oversize_ || buffer_.size() + count > longest) {
            thrown_away_ += buffer_.size() + count;
            buffer_.clear();
            oversize_ = true;
        } else {
            append(buffer_, octets.first(count));
        }
        if (end == octets.end()) {
            octets = {};
            break;
        }
        octets = octets.subspan(count + 1);
        oversize_ = false;
        auto frame = finish_cobs_block();
        buffer_.clear();
        if (!frame || *frame) {
            return frame;
        }
    }
    return std::nullopt;
}

/// Of the octets between two 00: a frame, or noise (nothing).
Result<std::optional<Frame>> FrameReader::finish_cobs_block() {
    if (buffer_.empty()) {
        return std::nullopt;
    }
    const auto block = cobs_decode(buffer_);
    if (!block || block->size() < kNumber + kFrameHeader + kCrc ||
        block->size() > kNumber + largest_frame_ + kCrc) {
        thrown_away_ += buffer_.size();
        return std::nullopt;
    }
    const ByteView covered = ByteView(*block).first(block->size() - kCrc);
    std::uint32_t crc = 0;
    for (const std::uint8_t octet : ByteView(*block).last(kCrc)) {
        crc = crc << 8 | octet;
    }
    if (crc != crc32(covered)) {
        thrown_away_ += buffer_.size();
        return std::nullopt;
    }
    auto frame = parse_header(covered.subspan(kNumber));
    if (!frame || frame->direction != from_) {
        if (!in_step_) { // an echo
            thrown_away_ += buffer_.size();
            return std::nullopt;
        }
        return fail(Errc::ProtocolViolation, "frame is not one of the peer");
    }
    frame->sequence = static_cast<std::uint16_t>(covered[0] << 8 | covered[1]);
    frame->in_sequence = frame->sequence == static_cast<std::uint16_t>(last_number_ + 1);
    last_number_ = frame->sequence;
    return std::move(*frame);
}

} // namespace mtkey::local
