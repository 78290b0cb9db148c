// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "kdf/establishment.hpp"

#include <cstdint>
#include <optional>

namespace mtkey::local {

inline constexpr std::size_t kLargestFrame = 4096;  ///< octets of header and payload
inline constexpr std::size_t kTtyFrame = 1024;      ///< default on tty transports
inline constexpr std::size_t kSmallestFrame = 1024; ///< every peer can take frames of this size
inline constexpr std::size_t kFrameHeader = 4;

/// How frames stand on the link. Chosen by the transport: reliable byte streams are
/// length-prefixed, ttys COBS. DRAFT-GAP(local-framing): docs/local-interface.md section 2 has
/// both, octet by octet.
enum class Framing { LengthPrefixed, Cobs };

/// Header (format, direction, type, channel: one octet each) and payload. What the numbers mean:
/// messages.hpp.
struct Frame {
    kdf::Direction direction{};
    std::uint8_t type = 0;
    std::uint8_t channel = 0;
    Bytes payload;
    std::uint16_t sequence = 0; ///< COBS only
    bool in_sequence = true;    ///< false: the frame before this one was lost
};

/// Appends `frame` as it stands on the link. Header and payload have at most kLargestFrame octets.
void append_frame(Bytes& out, Framing framing, const Frame& frame);

/// Cuts the octets of one direction into frames; owns at most one frame's worth of them.
///
/// A connection starts out of step: octets are thrown away until a frame is whole and the caller
/// accept()s it, because a tty may deliver the rest of something else, or our own octets as an
/// echo. From then on, length-prefixed frames must follow each other without a gap, and COBS skips
/// noise between frames and tells by the number whether a frame was lost.
class FrameReader {
public:
    /// `from`: the direction that is read; frames of the other one are echoes.
    FrameReader(Framing framing, kdf::Direction from, std::size_t largest_frame);

    /// The next frame; takes what it needs off the front of `octets`. Nothing = all taken, more is
    /// needed. An Error (ProtocolViolation) is final.
    [[nodiscard]] Result<std::optional<Frame>> next(ByteView& octets);
    /// The last frame of next() is what the connection starts with (again): count from it.
    void accept();
    void set_largest_frame(std::size_t largest_frame) { largest_frame_ = largest_frame; }
    [[nodiscard]] std::uint64_t thrown_away() const { return thrown_away_; }

private:
    [[nodiscard]] Result<std::optional<Frame>> next_length_prefixed(ByteView& octets);
    [[nodiscard]] Result<std::optional<Frame>> next_cobs(ByteView& octets);
    [[nodiscard]] Result<std::optional<Frame>> finish_cobs_block();
    [[nodiscard]] bool may_start_frame(ByteView octets) const;
    void drop_front(std::size_t count);
    void find_start();

    Framing framing_;
    kdf::Direction from_;
    std::size_t largest_frame_;
    Bytes buffer_;
    bool in_step_ = false;
    bool candidate_ =
        false; ///< length-prefixed, out of step: buffer_ begins with the frame given last
    bool oversize_ = false;         ///< COBS: inside a block that is longer than any frame
    std::uint16_t last_number_ = 0; ///< COBS: of the frame given last
    std::uint64_t thrown_away_ = 0;
};

} // namespace mtkey::local
