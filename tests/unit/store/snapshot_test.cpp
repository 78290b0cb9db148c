// SPDX-License-Identifier: Apache-2.0
#include "store/snapshot.hpp"

#include "fakes/fixed_random.hpp"
#include "machine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

namespace mtkey::store {
namespace {

using namespace std::chrono_literals;

const fakes::ManualClock& noon() {
    static const fakes::ManualClock clock("2030-01-01T12:00:00Z");
    return clock;
}

Snapshot sample(std::size_t records = 3) {
    Snapshot out;
    out.generation = 0x0102030405060708;
    out.boot_id.fill(0xB0);
    out.written = noon().utc_now();
    out.written_boot = noon().boot_now();
    out.high_water = noon().utc_now() + 1h;
    out.memory.uicc = std::string(64, 'f');
    out.memory.bootstrap = {1, 2, 3};
    out.memory.tombstones = {{"urn:a", "b@bsf"}, {"", "c@bsf"}};
    for (std::size_t i = 0; i < records; ++i) {
        out.records.push_back(record_of("urn:device:" + std::to_string(1000 + i),
                                        static_cast<std::uint8_t>(i), noon()));
    }
    if (records > 2) {
        out.records[1].state = KeyState::Suspended;
        out.records[2].state = KeyState::Revoked;
        out.records[2].mode = "gba-me";
        out.records[2].label = "";
    }
    return out;
}

struct Plain final : PlainSink, PlainSource {
    void write(ByteView more) override { append(octets, more); }
    Result<void> read(std::span<std::uint8_t> out) override {
        if (out.size() > left()) {
            return fail(Errc::Malformed);
        }
        std::ranges::copy(std::span(octets).subspan(at, out.size()), out.begin());
        at += out.size();
        return {};
    }
    std::size_t left() const override { return octets.size() - at; }
    Bytes octets;
    std::size_t at = 0;
};

Bytes encoded(const Snapshot& snapshot) {
    Plain plain;
    EXPECT_TRUE(encode_snapshot(snapshot, plain));
    return plain.octets;
}

Result<Snapshot> parsed(Bytes octets) {
    Plain plain;
    plain.octets = std::move(octets);
    return parse_snapshot(plain);
}

Result<Opened> opened(ByteView file, const Kek& kek, std::string_view store_id = "mtkeyd") {
    const std::array keks{&kek};
    return open(file, keks, store_id);
}

Bytes sealed(const Snapshot& snapshot, const Kek& kek) {
    SystemRandom random;
    return seal(snapshot, kek, "mtkeyd", random).value();
}

TEST(Snapshot, ComesBackWhole) {
    const auto before = sample();
    const auto kek = kek_of(7);
    const auto after = opened(sealed(before, kek), kek);
    ASSERT_TRUE(after);
    EXPECT_EQ(after->sealed_under, kek_id(kek));
    EXPECT_EQ(encoded(after->snapshot), encoded(before));
    // Not by way of the encoding alone: some of each kind.
    const auto& snapshot = after->snapshot;
    EXPECT_EQ(snapshot.generation, before.generation);
    EXPECT_EQ(snapshot.high_water, before.high_water);
    EXPECT_EQ(snapshot.memory, before.memory);
    ASSERT_EQ(snapshot.records.size(), 3U);
    EXPECT_EQ(snapshot.records[2].state, KeyState::Revoked);
    EXPECT_EQ(snapshot.records[2].mode, "gba-me");
    EXPECT_EQ(snapshot.records[1].label, "kitchen");
    EXPECT_TRUE(snapshot.records[1].ks_local_mt == before.records[1].ks_local_mt);
    EXPECT_EQ(snapshot.records[1].deadline, before.records[1].deadline);
    EXPECT_EQ(snapshot.records[1].expires, before.records[1].expires);
    EXPECT_EQ(snapshot.records[1].local_end, before.records[1].local_end);
}

TEST(Snapshot, SameInputSameFile) {
    const std::string salt(64, '5');
    const auto kek = kek_of(7);
    fakes::FixedRandom one(salt);
    fakes::FixedRandom two(salt);
    const auto file = seal(sample(), kek, "mtkeyd", one);
    ASSERT_TRUE(file);
    EXPECT_EQ(*file, seal(sample(), kek, "mtkeyd", two));
    EXPECT_TRUE(one.finished());
    EXPECT_NE(*file, sealed(sample(), kek));
}

// Its size gives away the sizes of the fields, nothing else.
TEST(Snapshot, NothingOfItIsToBeSeen) {
    const auto snapshot = sample();
    const auto file = sealed(snapshot, kek_of(7));
    EXPECT_EQ(file.size(), encoded(snapshot).size() + 96 + 16);
    const auto found = [&](ByteView what) { return !std::ranges::search(file, what).empty(); };
    EXPECT_FALSE(found(as_octets("kitchen")));
    EXPECT_FALSE(found(as_octets("urn:device")));
    EXPECT_FALSE(found(snapshot.records[1].ks_local_mt.reveal().first(8)));
    EXPECT_FALSE(found(kek_of(7).reveal().first(8)));
}

TEST(Snapshot, EveryBitFlipIsSeen) {
    const auto kek = kek_of(7);
    auto file = sealed(sample(1), kek);
    for (std::size_t bit = 0; bit < file.size() * 8; ++bit) {
        const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
        file[bit / 8] ^= mask;
        const auto result = opened(file, kek);
        ASSERT_FALSE(result) << "bit " << bit;
        // Another KEK's name is what the header says then; everything else is damage.
        const bool in_kek_id = bit / 8 >= 16 && bit / 8 < 32;
        ASSERT_EQ(result.error().code, in_kek_id ? Errc::NotFound : Errc::Malformed) << bit;
        file[bit / 8] ^= mask;
    }
    EXPECT_TRUE(opened(file, kek));
}

TEST(Snapshot, EveryTruncationAndInsertionIsSeen) {
    const auto kek = kek_of(7);
    const auto file = sealed(sample(1), kek);
    for (std::size_t size = 0; size < file.size(); ++size) {
        ASSERT_FALSE(opened(ByteView(file).first(size), kek)) << size;
        ASSERT_FALSE(opened(ByteView(file).last(size), kek)) << size;
    }
    for (std::size_t at = 0; at <= file.size(); ++at) {
        for (const auto octet : std::initializer_list<std::uint8_t>{0x00, 0xFF}) {
            auto longer = file;
            longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(at), octet);
            ASSERT_FALSE(opened(longer, kek)) << at;
        }
    }
}

TEST(Snapshot, OtherKeyOrProgram) {
    const auto file = sealed(sample(), kek_of(7));
    EXPECT_EQ(opened(file, kek_of(8)).error().code, Errc::NotFound);
    EXPECT_EQ(opened(file, kek_of(7), "mtkey-device").error().code, Errc::Malformed);
    const auto wrong = kek_of(8);
    const auto right = kek_of(7);
    EXPECT_TRUE(open(file, std::array{&wrong, &right}, "mtkeyd"));
}

TEST(Snapshot, HeaderOfAnotherKey) {
    auto file = sealed(sample(), kek_of(7));
    std::ranges::copy(kek_id(kek_of(8)), file.begin() + 16);
    EXPECT_EQ(opened(file, kek_of(8)).error().code, Errc::Malformed);
}

TEST(Snapshot, RandomnessThatFailsMakesNoFile) {
    for (std::size_t there = 0; there < 32; ++there) {
        fakes::FixedRandom random(std::string(2 * there, '1'));
        EXPECT_EQ(seal(sample(), kek_of(7), "mtkeyd", random).error().code, Errc::RandomFailed);
    }
}

TEST(Snapshot, SaltsDiffer) {
    const char* wanted = std::getenv("MTKEY_STORE_SALTS"); // 1000000 before a release
    const auto count = wanted == nullptr ? 100'000UL : std::strtoul(wanted, nullptr, 10);
    const auto kek = kek_of(7);
    SystemRandom random;
    std::set<Bytes> salts;
    std::array<std::size_t, 256> octets{};
    for (unsigned long i = 0; i < count; ++i) {
        auto sealer = Sealer::begin(kek, "mtkeyd", random);
        ASSERT_TRUE(sealer);
        const auto file = sealer->finish();
        ASSERT_TRUE(file);
        Bytes salt(file->begin() + 32, file->begin() + 64);
        for (const auto octet : salt) {
            ++octets[octet];
        }
        ASSERT_TRUE(salts.insert(std::move(salt)).second) << "salt " << i;
    }
    // Chi-square with 255 degrees of freedom: 400 is met by chance once in 10^8 runs.
    const double expected = static_cast<double>(count) * 32 / 256;
    double chi_square = 0;
    for (const auto seen : octets) {
        const double off = static_cast<double>(seen) - expected;
        chi_square += off * off / expected;
    }
    EXPECT_LT(chi_square, 400);
}

TEST(Snapshot, LargestFitsAndOneMoreDoesNot) {
    auto snapshot = sample(0);
    for (std::size_t i = 0; i < kMostRecords; ++i) {
        auto record = record_of(std::string(124, 'x') + std::to_string(1000 + i), 1, noon());
        record.label.assign(128, 'l');
        record.transport.assign(255, 't');
        record.peer.assign(255, 'p');
        record.naf_fqdn.assign(255, 'n');
        record.b_tid.assign(255, 'b');
        record.profile.assign(64, 'k');
        snapshot.records.push_back(std::move(record));
    }
    snapshot.memory.bootstrap.resize(kMostBootstrap);
    const auto kek = kek_of(7);
    const auto file = sealed(snapshot, kek);
    EXPECT_TRUE(opened(file, kek));
    // With the longest tombstones it is too much for one file, and the error says what helps.
    snapshot.memory.tombstones.assign(kMostTombstones,
                                      {std::string(128, 'd'), std::string(255, 'b')});
    SystemRandom random;
    const auto too_large = seal(snapshot, kek, "mtkeyd", random);
    ASSERT_FALSE(too_large);
    EXPECT_EQ(too_large.error().code, Errc::LimitExceeded);
    EXPECT_THAT(too_large.error().context, ::testing::HasSubstr("forget"));
    EXPECT_EQ(opened(Bytes(kStoreLimit + 1), kek).error().code, Errc::Malformed);
}

TEST(Snapshot, WhatNoFileCanHoldIsRefused) {
    struct Row {
        const char* what;
        void (*spoil)(Snapshot&);
    };
    const std::array rows{
        Row{"too many", [](Snapshot& s) { s = sample(kMostRecords + 1); }},
        Row{"twice", [](Snapshot& s) { s.records[1].device_id = s.records[0].device_id; }},
        Row{"pending twice",
            [](Snapshot& s) {
                s.records[0].state = s.records[1].state = KeyState::Pending;
                s.records[1].device_id = s.records[0].device_id;
            }},
        Row{"pending first",
            [](Snapshot& s) {
                s.records[0].state = KeyState::Pending;
                s.records[1].device_id = s.records[0].device_id;
            }},
        Row{"order", [](Snapshot& s) { std::swap(s.records[0], s.records[1]); }},
        Row{"Device_ID", [](Snapshot& s) { s.records[0].device_id.clear(); }},
        Row{"long Device_ID", [](Snapshot& s) { s.records[2].device_id.assign(129, 'v'); }},
        Row{"label", [](Snapshot& s) { s.records[0].label.assign(129, 'l'); }},
        Row{"transport", [](Snapshot& s) { s.records[0].transport.assign(256, 't'); }},
        Row{"peer", [](Snapshot& s) { s.records[0].peer.assign(256, 'p'); }},
        Row{"NAF", [](Snapshot& s) { s.records[0].naf_fqdn.clear(); }},
        Row{"Ua", [](Snapshot& s) { s.records[0].naf_ua.pop_back(); }},
        Row{"B-TID", [](Snapshot& s) { s.records[0].b_tid.assign(256, 'b'); }},
        Row{"mode", [](Snapshot& s) { s.records[0].mode = "gba"; }},
        Row{"no mode", [](Snapshot& s) { s.records[0].mode.clear(); }},
        Row{"profile", [](Snapshot& s) { s.records[0].profile.clear(); }},
        Row{"UICC", [](Snapshot& s) { s.records[0].uicc.assign(65, 'u'); }},
        Row{"1969", [](Snapshot& s) { s.records[0].created = UtcTime(-1s); }},
        Row{"10000", [](Snapshot& s) { s.records[0].expires = UtcTime(253402300800s); }},
        Row{"boot", [](Snapshot& s) { s.records[0].deadline = BootTime(-1ms); }},
        Row{"late boot", [](Snapshot& s) { s.written_boot = BootTime::max(); }},
        Row{"mark", [](Snapshot& s) { s.high_water = UtcTime::min(); }},
        Row{"memory", [](Snapshot& s) { s.memory.bootstrap.resize(kMostBootstrap + 1); }},
        Row{"memory's UICC", [](Snapshot& s) { s.memory.uicc.assign(65, 'u'); }},
        Row{"tombstones",
            [](Snapshot& s) { s.memory.tombstones.resize(kMostTombstones + 1, {"", "b"}); }},
        Row{"a tombstone", [](Snapshot& s) { s.memory.tombstones[0].b_tid.clear(); }},
    };
    for (const auto& row : rows) {
        auto snapshot = sample();
        row.spoil(snapshot);
        Plain plain;
        const auto result = encode_snapshot(snapshot, plain);
        ASSERT_FALSE(result) << row.what;
        EXPECT_EQ(result.error().code, Errc::InvalidArgument) << row.what;
    }
}

TEST(Snapshot, ParserTakesWhatTheEncoderWrites) {
    const auto good = encoded(sample());
    ASSERT_TRUE(parsed(good));
    for (std::size_t size = 0; size < good.size(); ++size) {
        ASSERT_FALSE(parsed(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))))
            << size;
    }
    auto longer = good;
    longer.push_back(0);
    EXPECT_FALSE(parsed(longer));
    // Each single octet changed: refused, or another snapshot that is written in the same way.
    std::size_t taken = 0;
    for (std::size_t i = 0; i < good.size(); ++i) {
        auto changed = good;
        changed[i] ^= 0x41;
        if (const auto result = parsed(changed)) {
            ASSERT_EQ(encoded(*result), changed) << i;
            ++taken;
        }
    }
    EXPECT_GT(taken, 300U) << "keys, texts and times";
    EXPECT_LT(taken, good.size() - 100) << "lengths, versions and codes";
}

TEST(Snapshot, ParserWantsRecordsInOrder) {
    for (const char last : {'0', '/'}) { // twice the same; the second before the first
        auto octets = encoded(sample(2));
        const auto second = std::ranges::search(octets, as_octets("urn:device:1001"));
        ASSERT_FALSE(second.empty());
        second.back() = static_cast<std::uint8_t>(last);
        EXPECT_EQ(parsed(octets).error().code, Errc::Malformed) << last;
    }
}

/// One name, as a record and a pending one: in this order, and no two of a kind.
TEST(Snapshot, PendingComesBehindItsLike) {
    auto snapshot = sample(2);
    snapshot.records[0].mode = snapshot.records[1].mode = "gba-2g";
    snapshot.records[1].device_id = snapshot.records[0].device_id;
    snapshot.records[1].state = KeyState::Pending;
    const auto good = encoded(snapshot);
    const auto back = parsed(good);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->records[1].state, KeyState::Pending);
    EXPECT_EQ(back->records[0].state, KeyState::Confirmed);
    EXPECT_EQ(back->records[0].mode, "gba-2g");
    EXPECT_EQ(encoded(*back), good);

    std::vector<std::size_t> states; // where they stand: behind the label
    const ByteView label = as_octets("kitchen");
    for (auto from = good.begin();;) {
        const auto found = std::search(from, good.end(), label.begin(), label.end());
        if (found == good.end()) {
            break;
        }
        from = found + static_cast<std::ptrdiff_t>(label.size());
        states.push_back(static_cast<std::size_t>(from - good.begin()));
    }
    ASSERT_EQ(states.size(), 2U);
    ASSERT_EQ(good[states[1]], 4);
    const auto with = [&](std::uint8_t first, std::uint8_t second) {
        auto changed = good;
        changed[states[0]] = first;
        changed[states[1]] = second;
        return parsed(std::move(changed)).has_value();
    };
    EXPECT_TRUE(with(3, 4));
    EXPECT_FALSE(with(4, 4));
    EXPECT_FALSE(with(4, 1));
    EXPECT_FALSE(with(1, 1));
    EXPECT_FALSE(with(1, 3));
    EXPECT_FALSE(with(1, 5));
    EXPECT_FALSE(with(1, 0));
}

TEST(Snapshot, NewerLayoutIsNotGuessedAt) {
    auto octets = encoded(sample());
    octets[1] = 2;
    EXPECT_EQ(parsed(octets).error().code, Errc::VersionMismatch);
}

} // namespace
} // namespace mtkey::store
