// SPDX-License-Identifier: Apache-2.0
#include "keys/run_back_off.hpp"

#include "fakes/manual_clock.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace mtkey::keys {
namespace {

using namespace std::chrono_literals;

/// Every octet the same; or none.
class SameRandom final : public RandomSource {
public:
    explicit SameRandom(std::optional<std::uint8_t> octet) : octet_(octet) {}
    [[nodiscard]] Result<void> fill(std::span<std::uint8_t> out) override {
        if (!octet_) {
            return fail(Errc::RandomFailed);
        }
        std::ranges::fill(out, *octet_);
        return {};
    }

private:
    std::optional<std::uint8_t> octet_;
};

struct Row {
    Error error;
    std::chrono::milliseconds first;
};
const std::vector<Row> kRows{
    {{Errc::BsfUnreachable, 0, ""}, 2s},
    {{Errc::BsfUnreachable, 111, ""}, 2s},
    {{Errc::BsfUnreachable, 503, ""}, 30s},
    {{Errc::BsfBadAnswer, 0, ""}, 30s},
    {{Errc::BsfUntrusted, 0, ""}, 30s},
    {{Errc::MacFailure, 0x9862, ""}, 30s},
    {{Errc::SyncFailure, 0, ""}, 30s},
    {{Errc::BsfRejected, 403, ""}, 10min},
    {{Errc::NoCard, 0, ""}, 0s},
    {{Errc::CardFailed, 0x6F00, ""}, 0s},
    {{Errc::PinRequired, 0, ""}, 0s},
    {{Errc::Cancelled, 0, ""}, 0s},
};

TEST(RunBackOff, DoublesByCauseUpToAnHour) {
    for (const auto& row : kRows) {
        fakes::ManualClock clock;
        SameRandom random(0);
        RunBackOff back_off(clock, random);
        EXPECT_EQ(back_off.wait(), 0ms);
        auto expected = row.first;
        for (int i = 0; i < 16; ++i) {
            back_off.failed(row.error);
            EXPECT_EQ(back_off.wait(), expected) << describe(row.error) << ", failure " << i;
            clock.advance(expected);
            EXPECT_EQ(back_off.wait(), 0ms);
            expected = std::min<std::chrono::milliseconds>(expected * 2, 1h);
        }
        back_off.reset();
        back_off.failed(row.error);
        EXPECT_EQ(back_off.wait(), row.first) << "after a reset it begins anew";
    }
}

TEST(RunBackOff, AnotherCauseIsNoShorter) {
    fakes::ManualClock clock;
    SameRandom random(0);
    RunBackOff back_off(clock, random);
    for (int i = 0; i < 5; ++i) {
        back_off.failed({Errc::MacFailure, 0, ""});
    }
    back_off.failed({Errc::BsfUnreachable, 0, ""});
    EXPECT_EQ(back_off.wait(), 16min) << "30 s, doubled five times";
    back_off.failed({Errc::NoCard, 0, ""});
    EXPECT_EQ(back_off.wait(), 16min) << "a card that is away says nothing of the network";
    back_off.reset();
    EXPECT_EQ(back_off.wait(), 0ms);
}

TEST(RunBackOff, ChanceTakesUpToAQuarterOff) {
    fakes::ManualClock clock;
    for (int octet = 0; octet < 256; ++octet) {
        SameRandom random(static_cast<std::uint8_t>(octet));
        RunBackOff back_off(clock, random);
        back_off.failed({Errc::BsfRejected, 403, ""});
        EXPECT_EQ(back_off.wait(), 600'000ms - 600'000ms * octet / 1024);
    }
    SameRandom none(std::nullopt);
    RunBackOff back_off(clock, none);
    back_off.failed({Errc::BsfRejected, 403, ""});
    EXPECT_EQ(back_off.wait(), 10min);
}

TEST(RunBackOff, WhatTheBsfAsksForWins) {
    fakes::ManualClock clock;
    SameRandom random(255);
    RunBackOff back_off(clock, random);
    const Error unavailable{Errc::BsfUnreachable, 503, ""};
    back_off.failed(unavailable, 120s);
    EXPECT_EQ(back_off.wait(), 120s);
    back_off.failed(unavailable, 48h);
    EXPECT_EQ(back_off.wait(), 1h) << "anybody on the way can say so";
    back_off.failed(unavailable, 0s);
    EXPECT_EQ(back_off.wait(), 1s);
}

} // namespace
} // namespace mtkey::keys
