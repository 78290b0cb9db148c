// SPDX-License-Identifier: Apache-2.0
#include "keys/bootstrap_memory.hpp"

#include "base/encoding.hpp"
#include "base/hash.hpp"
#include "fakes/manual_clock.hpp"
#include "keys/procedures.hpp"

#include <gtest/gtest.h>

namespace mtkey::keys {
namespace {

using namespace std::chrono_literals;
const std::string kBoot = "0f5a1c9e-70ae-4f2b-9a53-8d5d3f1f2c11";
const std::string kNextBoot = "1f5a1c9e-70ae-4f2b-9a53-8d5d3f1f2c11";

BootTime boot(std::chrono::milliseconds since) {
    return BootTime(since);
}
UtcTime utc(std::string_view text) {
    return parse_utc(text).value();
}

/// Written two hours after the start of a bootstrapping whose Ks lasts a week.
BootstrapPast full() {
    BootstrapPast out;
    out.boot_id = kBoot;
    out.saved = utc("2026-01-01T12:00:00Z");
    out.saved_boot = boot(10h);
    out.high_water = out.saved;
    out.runs = {{boot(-3h), ""}, {boot(8h), device_tag("urn:device:1")}};
    RememberedContext context;
    context.uicc = std::string(64, 'a');
    context.record.rand.fill(0x5A);
    context.record.b_tid = "abc+/=@bsf.example.org";
    context.record.created = utc("2026-01-01T10:00:00Z");
    context.record.expires = utc("2026-01-08T10:00:30Z");
    context.record.local_end = utc("2026-01-08T10:00:00Z");
    context.record.deadline = boot(8h + 7 * 24h);
    context.use_deadline = boot(8h + 24h);
    out.context = context;
    out.anchor = CardAnchor{std::string(64, 'b'), context.record.rand, "x@bsf.example.org", "b001"};
    out.without_gba = {std::string(64, '0'), std::string(64, 'f')};
    return out;
}

/// With a checksum that is right.
std::string sealed(const std::string& lines) {
    return lines + "end " + to_hex(sha256({as_octets(lines)})) + "\n";
}

TEST(BootstrapMemory, ComesBackAsItWas) {
    for (const auto& past : {full(), BootstrapPast{}}) {
        const auto text = encode_bootstrap_past(past);
        const auto back = parse_bootstrap_past(text);
        ASSERT_TRUE(back) << describe(back.error()) << text;
        EXPECT_EQ(*back, past);
    }
}

TEST(BootstrapMemory, EveryBitCounts) {
    const auto text = encode_bootstrap_past(full());
    for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
        auto flipped = text;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        ASSERT_FALSE(parse_bootstrap_past(flipped)) << bit;
    }
    for (std::size_t size = 0; size < text.size(); ++size) {
        ASSERT_FALSE(parse_bootstrap_past(std::string_view(text).substr(0, size))) << size;
    }
}

TEST(BootstrapMemory, OnlyWhatWeWrite) {
    const std::string head = "mtkeyd bootstrap memory 1\nboot " + kBoot +
                             "\nsaved 2026-01-01T12:00:00Z 36000000 2026-01-01T12:00:00Z\n";
    const std::string hash(64, 'a');
    const auto context = [&](const std::string& b_tid) {
        return "context " + hash + " " + std::string(32, '5') + " " + b_tid +
               " 2026-01-01T10:00:00Z 2026-01-08T10:00:00Z 2026-01-08T10:00:00Z 633600000 "
               "115200000\n";
    };
    ASSERT_TRUE(parse_bootstrap_past(sealed(head)));
    ASSERT_TRUE(parse_bootstrap_past(
        sealed(head + "run 5 -\n" + context("b@c") + "without-gba " + hash + "\n")));
    for (const std::string& lines : std::vector<std::string>{
             "",
             "mtkeyd bootstrap memory 2\n" + head.substr(head.find('\n') + 1),
             head.substr(0, head.find("saved")),
             head + "run 5\n",
             head + "run 5 - x\n",
             head + "run +5 -\n",
             head + "run 05 -\n",
             head + "run 99999999999999 -\n",
             head + "run 5 0123456789ABCDEF\n",
             head + "run 5 0123\n",
             head + "run 5 -",
             head + "\n",
             head + "later 5\n",
             head + "without-gba " + hash.substr(1) + "\n",
             head + "without-gba " + hash + "\nrun 5 -\n",
             head + context("b@c") + context("b@c"),
             head + context(""),
             head + context("b\x7f@c"),
             head + context(std::string(256, 'b')),
             head + "boot " + kNextBoot + "\n",
         }) {
        EXPECT_FALSE(parse_bootstrap_past(sealed(lines))) << lines;
    }
}

TEST(BootstrapMemory, FitsIntoTheLimitWhateverItHolds) {
    auto past = full();
    past.runs.assign(3000, {boot(-400000h), device_tag("a")});
    past.runs.back().device = "";
    past.without_gba.assign(100, std::string(64, 'b'));
    past.without_gba.back() = std::string(64, 'c');
    const auto back = parse_bootstrap_past(encode_bootstrap_past(past));
    ASSERT_TRUE(back) << describe(back.error());
    EXPECT_EQ(back->runs.size(), kMostRuns);
    EXPECT_EQ(back->runs.back().device, "") << "the oldest go";
    EXPECT_EQ(back->without_gba.size(), kMostWithoutGba);
    EXPECT_EQ(back->without_gba.back(), std::string(64, 'c'));
}

TEST(BootstrapMemory, SameBootCountsByItsOwnClock) {
    // Whatever UTC is by now.
    for (const char* now :
         {"2026-01-01T13:00:00Z", "2016-01-01T00:00:00Z", "2036-01-01T00:00:00Z"}) {
        const fakes::ManualClock clock(now, 11h);
        auto past = full();
        move_to_boot(past, kBoot, clock);
        EXPECT_EQ(past, full()) << now;
    }
}

TEST(BootstrapMemory, AnotherBootCountsByUtc) {
    const fakes::ManualClock clock("2026-01-01T13:00:00Z", 5min); // an hour after the writing
    for (const auto& id : {kNextBoot, std::string()}) {
        auto past = full();
        move_to_boot(past, id, clock);
        ASSERT_EQ(past.runs.size(), 2U);
        EXPECT_EQ(past.runs[0].at, clock.boot_now() - 14h);
        EXPECT_EQ(past.runs[1].at, clock.boot_now() - 3h);
        ASSERT_TRUE(past.context);
        EXPECT_EQ(past.context->record.local_end, full().context->record.local_end);
        EXPECT_EQ(past.context->record.deadline, clock.boot_now() + 7 * 24h - 3h);
        EXPECT_EQ(past.context->use_deadline, clock.boot_now() + 24h - 3h)
            << "goes on counting from the start";
        EXPECT_EQ(past.boot_id, id);
        EXPECT_EQ(past.saved, clock.utc_now());
        EXPECT_EQ(past.saved_boot, clock.boot_now());
    }
}

TEST(BootstrapMemory, ClockBehindTheHighWaterMarkIsWrong) {
    for (const char* now : {"2026-01-01T11:59:59Z", "1970-01-01T00:00:00Z"}) {
        const fakes::ManualClock clock(now, 5min);
        auto past = full();
        move_to_boot(past, kNextBoot, clock);
        EXPECT_FALSE(past.context) << now;
        ASSERT_EQ(past.runs.size(), 2U);
        EXPECT_EQ(past.runs[1].at, clock.boot_now() - 2h) << "no time has passed, none comes back";
        EXPECT_EQ(past.high_water, full().high_water);
    }
    const fakes::ManualClock exact("2026-01-01T12:00:00Z", 5min);
    auto past = full();
    move_to_boot(past, kNextBoot, exact);
    EXPECT_TRUE(past.context);
}

} // namespace
} // namespace mtkey::keys
