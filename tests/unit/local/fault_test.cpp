// SPDX-License-Identifier: Apache-2.0
// Threat L8: somebody on the link changes it, one octet or one frame at a time, exhaustively. Keys
// may fail to be confirmed; they are never confirmed over transcripts that differ.
#include "exchange.hpp"

#include <gtest/gtest.h>

namespace mtkey::local {
namespace {

using test::Exchange;

struct Tally {
    int established = 0;
    int failed = 0;
};

void expect_no_false_confirmation(const Exchange& exchange, Tally& tally) {
    const auto& mt = exchange.mt.outcome;
    const auto& device = exchange.device.outcome;
    if (mt.confirmed) {
        EXPECT_EQ(mt.th_est, device.th_est);
        EXPECT_EQ(mt.verified_th_conn, device.th_conn);
        EXPECT_EQ(mt.confirm_mac, device.confirm_mac);
        EXPECT_EQ(mt.confirmed->b_tid, test::kBtid);
    }
    if (device.acknowledged) {
        ASSERT_TRUE(mt.confirmed);
        EXPECT_EQ(mt.th_est, device.th_est);
        EXPECT_EQ(device.acknowledged->expires, mt.confirmed->expires);
    }
    EXPECT_TRUE(exchange.mt.session.finished());
    EXPECT_TRUE(exchange.device.session.finished());
    EXPECT_LE(mt.events, 4);
    EXPECT_LE(device.events, 6);
    ++(device.acknowledged ? tally.established : tally.failed);
}

enum class Fault { Drop, Twice, FlipLow, FlipHigh, FlipAll, Zero, Insert };

void inflict(Fault fault, Bytes& octets, std::size_t at) {
    const auto where = octets.begin() + static_cast<std::ptrdiff_t>(at);
    switch (fault) {
    case Fault::Drop:
        octets.erase(where);
        break;
    case Fault::Twice:
        octets.insert(where, octets[at]);
        break;
    case Fault::FlipLow:
        octets[at] ^= 0x01;
        break;
    case Fault::FlipHigh:
        octets[at] ^= 0x80;
        break;
    case Fault::FlipAll:
        octets[at] ^= 0xFF;
        break;
    case Fault::Zero:
        octets[at] = 0;
        break;
    case Fault::Insert:
        octets.insert(where, 0x5A);
        break;
    }
}

class LinkFault : public testing::TestWithParam<std::tuple<Framing, Role>> {};
INSTANTIATE_TEST_SUITE_P(Link, LinkFault,
                         testing::Combine(testing::Values(Framing::LengthPrefixed, Framing::Cobs),
                                          testing::Values(Role::Device, Role::Mt)));

TEST_P(LinkFault, EveryOctetOfEveryFrameEveryFault) {
    const auto [framing, side] = GetParam();
    Tally tally;
    for (const Fault fault : {Fault::Drop, Fault::Twice, Fault::FlipLow, Fault::FlipHigh,
                              Fault::FlipAll, Fault::Zero, Fault::Insert}) {
        std::size_t target = 0;
        for (bool hit = true; hit; ++target) {
            Exchange exchange(framing);
            std::size_t passed = 0;
            hit = false;
            exchange.wire = [&](Role from, Bytes& octets) {
                if (from != side || hit) {
                    return;
                }
                const std::size_t size = octets.size();
                if (target < passed + size) {
                    inflict(fault, octets, target - passed);
                    hit = true;
                }
                passed += size;
            };
            exchange.run();
            expect_no_false_confirmation(exchange, tally);
            ASSERT_FALSE(HasFailure()) << static_cast<int>(fault) << " at " << target;
            if (target > 5000) {
                break; // PING for ever would be a failure of its own
            }
        }
        EXPECT_GT(target, 400U);
        EXPECT_LT(target, 2000U);
    }
    EXPECT_GT(tally.failed, 1000);
    if (framing == Framing::LengthPrefixed) {
        EXPECT_LT(tally.established, 100); // only behind the end, or where a fault changes nothing
    }
}

/// Cuts what a side says into its frames, so that whole ones can be lost, repeated and exchanged.
std::vector<Bytes> frames_of(Framing framing, Role from, const Bytes& octets) {
    std::vector<Bytes> out;
    FrameReader reader(
        framing, from == Role::Device ? kdf::Direction::DeviceToMt : kdf::Direction::MtToDevice,
        kLargestFrame);
    ByteView rest(octets);
    while (auto frame = reader.next(rest).value()) {
        reader.accept();
        out.emplace_back();
        append_frame(out.back(), framing, *frame);
    }
    return out;
}

enum class FrameFault { Drop, Twice, PreviousAgain, FirstAgain, OtherDirection, Truncate };

TEST_P(LinkFault, EveryFrameEveryFault) {
    const auto [framing, side] = GetParam();
    Tally tally;
    for (const FrameFault fault :
         {FrameFault::Drop, FrameFault::Twice, FrameFault::PreviousAgain, FrameFault::FirstAgain,
          FrameFault::OtherDirection, FrameFault::Truncate}) {
        for (std::size_t target = 0; target < 6; ++target) {
            Exchange exchange(framing);
            std::vector<Bytes> said;
            Bytes heard;
            exchange.wire = [&](Role from, Bytes& octets) {
                if (from != side) {
                    heard = octets.empty() ? heard : octets;
                    return;
                }
                Bytes changed;
                for (const Bytes& frame : frames_of(framing, from, octets)) {
                    const bool hit = said.size() == target;
                    if (!hit || (fault != FrameFault::Drop && fault != FrameFault::Truncate)) {
                        append(changed, frame);
                    }
                    if (hit && fault == FrameFault::Twice) {
                        append(changed, frame);
                    } else if (hit && fault == FrameFault::PreviousAgain && !said.empty()) {
                        append(changed, said.back());
                    } else if (hit && fault == FrameFault::FirstAgain && !said.empty()) {
                        append(changed, said.front());
                    } else if (hit && fault == FrameFault::OtherDirection) {
                        append(changed, heard);
                    } else if (hit && fault == FrameFault::Truncate) {
                        append(changed, ByteView(frame).first(frame.size() / 2));
                    }
                    said.push_back(frame);
                }
                octets = changed;
            };
            exchange.run();
            expect_no_false_confirmation(exchange, tally);
            EXPECT_FALSE(HasFailure()) << static_cast<int>(fault) << " at " << target;
        }
    }
    EXPECT_GT(tally.failed, 10);
}

/// A man in the middle who speaks the protocol and changes one field, length and check sum right:
/// L2's B-TID, L4's mode, the HELLO's nonce. Nothing in the messages themselves tells; the MACs do.
TEST_P(LinkFault, WellFormedChangesOfEveryPayload) {
    const auto [framing, side] = GetParam();
    Tally tally;
    int changed_payloads = 0;
    for (std::size_t target = 0; target < 4; ++target) {
        for (std::size_t at = 1; at < 300; ++at) {
            Exchange exchange(framing);
            std::size_t seen = 0;
            bool hit = false;
            exchange.wire = [&](Role from, Bytes& octets) {
                if (from != side) {
                    return;
                }
                Bytes changed;
                FrameReader reader(framing,
                                   from == Role::Device ? kdf::Direction::DeviceToMt
                                                        : kdf::Direction::MtToDevice,
                                   kLargestFrame);
                ByteView rest(octets);
                while (auto frame = reader.next(rest).value()) {
                    reader.accept();
                    if (seen++ == target && at < frame->payload.size()) {
                        frame->payload[at] ^= 0x01;
                        hit = true;
                    }
                    append_frame(changed, framing, *frame);
                }
                octets = changed;
            };
            exchange.run();
            changed_payloads += hit ? 1 : 0;
            expect_no_false_confirmation(exchange, tally);
            // A HELLO that is none any more is repeated on a tty, unchanged then.
            if (hit && (framing == Framing::LengthPrefixed || target > 0)) {
                EXPECT_FALSE(exchange.device.outcome.acknowledged) << target << " " << at;
            }
            ASSERT_FALSE(HasFailure());
        }
    }
    EXPECT_GT(changed_payloads, 250);
}

} // namespace
} // namespace mtkey::local
