// SPDX-License-Identifier: Apache-2.0
#include "local/framing.hpp"

#include "local/cobs.hpp"
#include "samples.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace mtkey::local {
namespace {

using kdf::Direction;
using test::hex;

Bytes run_of(unsigned first, unsigned last) {
    Bytes out(last - first + 1);
    std::iota(out.begin(), out.end(), static_cast<std::uint8_t>(first));
    return out;
}

Bytes operator+(Bytes a, const Bytes& b) {
    append(a, b);
    return a;
}

TEST(Crc32, CheckValue) {
    EXPECT_EQ(crc32(as_octets("123456789")), 0xCBF43926U);
    EXPECT_EQ(crc32({}), 0U);
}

// The table of the Wikipedia article "Consistent Overhead Byte Stuffing" (2024).
TEST(Cobs, PublishedExamples) {
    const std::pair<Bytes, Bytes> rows[] = {
        {hex("00"), hex("0101")},
        {hex("0000"), hex("010101")},
        {hex("001100"), hex("01021101")},
        {hex("11220033"), hex("0311220233")},
        {hex("11223344"), hex("0511223344")},
        {hex("11000000"), hex("0211010101")},
        {run_of(0x01, 0xFE), hex("ff") + run_of(0x01, 0xFE)},
        {hex("00") + run_of(0x01, 0xFE), hex("01ff") + run_of(0x01, 0xFE)},
        {run_of(0x01, 0xFF), hex("ff") + run_of(0x01, 0xFE) + hex("02ff")},
        {run_of(0x02, 0xFF) + hex("00"), hex("ff") + run_of(0x02, 0xFF) + hex("0101")},
        {run_of(0x03, 0xFF) + hex("0001"), hex("fe") + run_of(0x03, 0xFF) + hex("0201")},
    };
    for (const auto& [plain, stuffed] : rows) {
        EXPECT_EQ(to_hex(cobs_encode(plain)), to_hex(stuffed));
        EXPECT_EQ(cobs_decode(stuffed), plain);
    }
    EXPECT_EQ(cobs_decode(hex("ff") + run_of(0x01, 0xFE) + hex("01")), run_of(0x01, 0xFE));
}

TEST(Cobs, EveryLengthWithinItsLimit) {
    std::mt19937 random(1);
    for (std::size_t size = 0; size < 1200; ++size) {
        for (unsigned zeros : {0U, 1U, 255U}) { // none, all, a few
            Bytes plain(size);
            for (auto& octet : plain) {
                octet = zeros == 1 ? 0 : static_cast<std::uint8_t>(random() % 256);
                octet |= zeros == 0 ? 1 : 0;
            }
            const Bytes stuffed = cobs_encode(plain);
            EXPECT_LE(stuffed.size(), cobs_limit(size));
            EXPECT_EQ(std::ranges::count(stuffed, 0), 0);
            ASSERT_EQ(cobs_decode(stuffed), plain);
        }
    }
}

TEST(Cobs, Refused) {
    for (const char* row : {"00", "02", "0300", "020001", "0511223300", "ff01", "0111", "010300"}) {
        // "0111" is a group of one that says it has 16 more octets.
        EXPECT_FALSE(cobs_decode(hex(row))) << row;
    }
}

Frame frame(std::uint8_t type, Bytes payload, std::uint16_t number = 0,
            Direction direction = Direction::DeviceToMt) {
    Frame out;
    out.direction = direction;
    out.type = type;
    out.payload = std::move(payload);
    out.sequence = number;
    return out;
}

TEST(Framing, OctetsOnTheLink) {
    Bytes out;
    append_frame(out, Framing::LengthPrefixed, frame(0x0B, hex("a0"), 0, Direction::MtToDevice));
    EXPECT_EQ(to_hex(out), "4d4b0005"
                           "01010b00"
                           "a0");
    out.clear();
    append_frame(out, Framing::Cobs, frame(0x0B, hex("a0"), 0x0102));

    const auto block = cobs_decode(ByteView(out).subspan(1, out.size() - 2)).value();
    EXPECT_EQ(out.front(), 0);
    EXPECT_EQ(out.back(), 0);
    EXPECT_EQ(to_hex(ByteView(block).first(7)), "010201000b00a0");
    EXPECT_EQ(block.size(), 11U);
}

struct Read {
    std::vector<Frame> frames;
    std::optional<Errc> error;
    std::uint64_t thrown_away = 0;
};

/// Accepts the first frame that comes, feeds `step` octets at a time.
Read read_all(Framing framing, ByteView octets, std::size_t step,
              std::size_t largest = kLargestFrame) {
    Read out;
    FrameReader reader(framing, Direction::DeviceToMt, largest);
    while (!octets.empty() && !out.error) {
        ByteView piece = octets.first(std::min(step, octets.size()));
        octets = octets.subspan(piece.size());
        for (;;) {
            auto next = reader.next(piece);
            if (!next) {
                out.error = next.error().code;
                break;
            }
            if (!*next) {
                break;
            }
            if (out.frames.empty()) {
                reader.accept();
            }
            out.frames.push_back(std::move(**next));
        }
    }
    out.thrown_away = reader.thrown_away();
    return out;
}

class BothFramings : public testing::TestWithParam<Framing> {};
INSTANTIATE_TEST_SUITE_P(Framing, BothFramings,
                         testing::Values(Framing::LengthPrefixed, Framing::Cobs));

TEST_P(BothFramings, EverySizeAndEverySplit) {
    Bytes link;
    std::vector<Bytes> payloads;
    for (std::size_t size : {0U, 1U, 2U, 250U, 251U, 252U, 253U, 254U, 255U, 256U, 1020U, 4092U}) {
        payloads.emplace_back(size, static_cast<std::uint8_t>(size % 3 == 0 ? 0 : size));
        append_frame(
            link, GetParam(),
            frame(9, payloads.back(), static_cast<std::uint16_t>(0xFFFA + payloads.size())));
    }
    for (std::size_t step = 1; step <= link.size(); step += step < 300 ? 1 : 997) {
        const Read read = read_all(GetParam(), link, step);
        ASSERT_FALSE(read.error);
        ASSERT_EQ(read.frames.size(), payloads.size()) << step;
        for (std::size_t i = 0; i < payloads.size(); ++i) {
            EXPECT_EQ(read.frames[i].payload, payloads[i]);
            EXPECT_TRUE(i == 0 || read.frames[i].in_sequence) << i; // over the wrap at FFFF
        }
        EXPECT_EQ(read.thrown_away, 0U);
    }
}

TEST_P(BothFramings, OctetsBeforeTheFirstFrameAreThrownAway) {
    Bytes good;
    append_frame(good, GetParam(), frame(1, hex("a0")));
    Bytes echo;
    append_frame(echo, GetParam(), frame(1, hex("a0"), 7, Direction::MtToDevice));
    std::mt19937 random(2);
    Bytes noise(5000);
    for (auto& octet : noise) {
        octet = static_cast<std::uint8_t>(random());
    }
    const Bytes heads[] = {hex("00"),
                           hex("4d"),
                           hex("4d4b"),
                           hex("4d4d4b4d"),
                           hex("4d4b0fff02"),
                           hex("4d4bffff"),
                           hex("4d4b0003"),
                           hex("6c6f67696e3a20"),
                           echo,
                           echo + echo,
                           noise,
                           Bytes(good.begin(), good.begin() + 5)};
    for (const Bytes& head : heads) {
        const bool cut_frame =
            head.size() == 5 && head[0] == good[0] && GetParam() == Framing::LengthPrefixed;
        for (std::size_t step : {1UL, 3UL, 10000UL}) {
            const Read read = read_all(GetParam(), head + good + good, step);
            if (cut_frame) {
                continue; // looks like a frame until the caller looks inside; FrameTheCallerRefuses
            }
            ASSERT_EQ(read.frames.size(), 2U)
                << to_hex(ByteView(head).first(std::min<std::size_t>(8, head.size())));
            EXPECT_EQ(read.frames[0].payload, hex("a0"));
        }
    }
}

TEST(Framing, FrameTheCallerRefuses) {
    Bytes good;
    append_frame(good, Framing::LengthPrefixed, frame(1, hex("0102030405060708090a")));
    Bytes link(good.begin(),
               good.begin() + 9); // one octet of the payload, then the link began again
    append(link, good);
    append(link, good);
    FrameReader reader(Framing::LengthPrefixed, Direction::DeviceToMt, kLargestFrame);
    ByteView octets(link);
    int refused = 0;
    for (;;) {
        auto next = reader.next(octets).value();
        ASSERT_TRUE(next);
        if (next->payload == hex("0102030405060708090a")) {
            break;
        }
        ++refused;
    }
    EXPECT_EQ(refused, 1);
    reader.accept();
    EXPECT_EQ(reader.next(octets).value()->payload, hex("0102030405060708090a"));
    EXPECT_EQ(reader.thrown_away(), 9U);
}

TEST(Framing, LengthPrefixedMustGoOnWithoutGap) {
    Bytes good;
    append_frame(good, Framing::LengthPrefixed, frame(1, hex("a0")));
    for (const char* bad : {"00", "4e", "4d4c", "4d4b0003", "4d4b1001", "4d4bffff", "4d4b000502",
                            "4d4b00050101", "4d4b00050102"}) {
        const Read read = read_all(Framing::LengthPrefixed, good + hex(bad), 1);
        EXPECT_EQ(read.frames.size(), 1U);
        EXPECT_EQ(read.error, Errc::ProtocolViolation) << bad;
    }
}

TEST(Framing, CobsFindsEveryLossAndSkipsNoise) {
    Bytes first;
    append_frame(first, Framing::Cobs, frame(1, hex("a0"), 10));
    Bytes lost;
    append_frame(lost, Framing::Cobs, frame(2, hex("a101"), 11));
    Bytes last;
    append_frame(last, Framing::Cobs, frame(3, hex("a0"), 12));
    for (std::size_t at = 1; at + 1 < lost.size(); ++at) {
        for (unsigned mask = 1; mask < 256; mask += 2) {
            Bytes damaged = lost;
            damaged[at] ^= static_cast<std::uint8_t>(mask);
            const Read read = read_all(Framing::Cobs, first + damaged + last, 1000);
            ASSERT_EQ(read.frames.size(), 2U) << at << " " << mask;
            EXPECT_FALSE(read.frames[1].in_sequence);
        }
    }
    Bytes next;
    append_frame(next, Framing::Cobs, frame(3, hex("a0"), 11));
    const Read quiet = read_all(Framing::Cobs, first + hex("112233") + next, 1000);
    ASSERT_EQ(quiet.frames.size(), 2U);
    EXPECT_TRUE(quiet.frames[1].in_sequence);
    const Read twice = read_all(Framing::Cobs, first + next + next, 1000);
    ASSERT_EQ(twice.frames.size(), 3U);
    EXPECT_FALSE(twice.frames[2].in_sequence);
}

TEST(Framing, CobsEchoOrForeignFrameInStep) {
    Bytes first;
    append_frame(first, Framing::Cobs, frame(1, hex("a0"), 10));
    Bytes echo;
    append_frame(echo, Framing::Cobs, frame(1, hex("a0"), 11, Direction::MtToDevice));
    EXPECT_EQ(read_all(Framing::Cobs, first + echo, 1).error, Errc::ProtocolViolation);
}

TEST_P(BothFramings, LongerThanAgreed) {
    Bytes link;
    append_frame(link, GetParam(), frame(1, hex("a0"), 0));
    append_frame(link, GetParam(), frame(1, Bytes(1020, 1), 1));
    append_frame(link, GetParam(), frame(1, Bytes(1021, 1), 2));
    append_frame(link, GetParam(), frame(1, hex("a0"), 3));
    const Read read = read_all(GetParam(), link, 100, kSmallestFrame);
    if (GetParam() == Framing::LengthPrefixed) {
        EXPECT_EQ(read.frames.size(), 2U);
        EXPECT_EQ(read.error, Errc::ProtocolViolation);
    } else {
        ASSERT_EQ(read.frames.size(), 3U);
        EXPECT_FALSE(read.frames[2].in_sequence);
    }
}

TEST_P(BothFramings, NoiseNeverFillsMemoryNorMakesFrames) {
    std::mt19937 random(3);
    FrameReader reader(GetParam(), Direction::DeviceToMt, kLargestFrame);
    Bytes noise(1 << 16);
    for (int round = 0; round < 64; ++round) { // 4 MiB
        for (auto& octet : noise) {
            octet = static_cast<std::uint8_t>(random());
        }
        ByteView octets(noise);
        EXPECT_FALSE(reader.next(octets).value());
        EXPECT_TRUE(octets.empty());
    }
    EXPECT_GT(reader.thrown_away(), 63U * noise.size()); // delimiters do not count
}

} // namespace
} // namespace mtkey::local
