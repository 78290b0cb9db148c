// SPDX-License-Identifier: Apache-2.0
#include "aka/sqn_generation.hpp"

#include "aka/aka.hpp"

#include <gtest/gtest.h>

namespace mtkey::aka {
namespace {

constexpr UtcTime at(std::int64_t seconds) {
    return UtcTime(std::chrono::seconds(seconds));
}
std::uint64_t take(SqnState& state, SqnScheme scheme, std::int64_t seconds = 0) {
    return sqn_to_number(take_sqn(state, scheme, at(seconds)));
}
constexpr std::uint64_t sqn(std::uint64_t seq, std::uint64_t ind) {
    return seq * 32 + ind;
}

TEST(SqnGeneration, FixedIndStepsSeqAlone) {
    SqnState state{.next = sqn(7, 3), .dif = {}};
    for (std::uint64_t seq = 7; seq < 100; ++seq) {
        EXPECT_EQ(take(state, SqnScheme::FixedInd), sqn(seq, 3));
    }
    EXPECT_FALSE(state.dif);
}

// TS 33.102 clause C.1.2: SEQ one more, IND the next of 32.
TEST(SqnGeneration, CyclingIndGoesRound) {
    SqnState state{.next = sqn(7, 30), .dif = {}};
    EXPECT_EQ(take(state, SqnScheme::CyclingInd), sqn(7, 30));
    EXPECT_EQ(take(state, SqnScheme::CyclingInd), sqn(8, 31));
    EXPECT_EQ(take(state, SqnScheme::CyclingInd), sqn(9, 0));
    EXPECT_EQ(take(state, SqnScheme::CyclingInd), sqn(10, 1));
}

TEST(SqnGeneration, EveryVectorOfACycleIsFreshForTheCardInAnyOrder) {
    SqnState state{.next = sqn(1000, 5), .dif = {}};
    std::vector<Sqn> vectors;
    for (int i = 0; i < 32; ++i) {
        vectors.push_back(take_sqn(state, SqnScheme::CyclingInd, at(0)));
    }
    SqnArray card(sqn_from_number(sqn(999, 31)));
    for (auto vector = vectors.rbegin(); vector != vectors.rend(); ++vector) {
        EXPECT_TRUE(card.fresh(*vector));
        card.accept(*vector);
        EXPECT_FALSE(card.fresh(*vector));
    }
}

// TS 33.102 clause C.1.1.3: SEQ = GLC + DIF.
TEST(SqnGeneration, TimeFollowsTheClockFromTheFirstVectorOn) {
    SqnState state{.next = sqn(50, 0), .dif = {}};
    EXPECT_EQ(take(state, SqnScheme::Time, 1'000'000), sqn(50, 0));
    EXPECT_EQ(take(state, SqnScheme::Time, 1'000'060), sqn(110, 1));
    EXPECT_EQ(take(state, SqnScheme::Time, 1'000'060), sqn(111, 2)) << "two in one second";
    EXPECT_EQ(take(state, SqnScheme::Time, 900'000), sqn(112, 3)) << "the clock was set back";
    EXPECT_EQ(take(state, SqnScheme::Time, 1'000'070), sqn(120, 4));
}

TEST(SqnGeneration, ResynchronisationGoesAboveTheCard) {
    for (const auto scheme : {SqnScheme::FixedInd, SqnScheme::CyclingInd, SqnScheme::Time}) {
        SqnState state{.next = sqn(5000, 0), .dif = {}};
        (void)take(state, scheme, 100);
        // Ahead of us, and so far behind that the card takes no such step.
        for (const auto ms : {sqn(6000, 9), sqn(1ULL << 40, 31), sqn(3, 9)}) {
            resynchronise_sqn(state, scheme, sqn_from_number(ms), at(200));
            SqnArray card(sqn_from_number(ms), {.ind_bits = 5, .limit = 1 << 28});
            const auto next = take_sqn(state, scheme, at(200));
            EXPECT_TRUE(card.fresh(next)) << ms;
            EXPECT_EQ(sqn_to_number(next) / 32, ms / 32 + 1);
        }
    }
    // What the card would take is not given twice: an AUTS may come late, or again.
    SqnState kept{.next = sqn(5000, 0), .dif = {}};
    resynchronise_sqn(kept, SqnScheme::FixedInd, sqn_from_number(sqn(4000, 9)), at(200));
    EXPECT_EQ(take(kept, SqnScheme::FixedInd, 200), sqn(5000, 0));
    SqnState state{.next = 0, .dif = {}};
    resynchronise_sqn(state, SqnScheme::Time, sqn_from_number(sqn(70, 0)), at(200));
    EXPECT_EQ(take(state, SqnScheme::Time, 210) / 32, 81u) << "DIF is the card's from now on";
}

TEST(SqnGeneration, WrapsAt2To48) {
    for (const auto scheme : {SqnScheme::FixedInd, SqnScheme::CyclingInd, SqnScheme::Time}) {
        SqnState state{.next = (std::uint64_t{1} << 48) - 16, .dif = {}};
        EXPECT_EQ(take(state, scheme), (std::uint64_t{1} << 48) - 16);
        EXPECT_LT(take(state, scheme), 64u);
    }
}

} // namespace
} // namespace mtkey::aka
