// SPDX-License-Identifier: Apache-2.0
// Files that another program made from docs/store.md alone: ours are the same, octet by octet.
#include "fakes/fixed_random.hpp"
#include "store/generation.hpp"
#include "store/snapshot.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

namespace mtkey::store {
namespace {

KeyRecord numbered(int number, int key_number, const std::string& label, KeyState state,
                   bool time_unknown, const std::string& mode) {
    const auto key = static_cast<std::uint8_t>(0x10 * key_number);
    KeyRecord out;
    out.device_id = "urn:device:" + std::to_string(number);
    out.label = label;
    out.state = state;
    out.time_unknown = time_unknown;
    out.transport = "serial0";
    out.peer = "/dev/ttyUSB0";
    out.naf_fqdn = "kc.home1.example";
    out.naf_ua = {0xFF, 0x00, 0x03, 0x32, 0x59};
    out.b_tid = "AAECAwQFBgcICQoLDA0ODw==@bsf.home1.example";
    out.mode = mode;
    out.profile = "draft-1";
    out.uicc = std::string(64, 'a');
    std::ranges::fill(out.ks_local_mt.reveal_writable(), key);
    out.th_est.fill(static_cast<std::uint8_t>(key + 1));
    out.est_id.fill(static_cast<std::uint8_t>(key + 2));
    out.created = parse_utc("2030-01-01T00:00:00Z").value();
    out.confirmed = parse_utc("2030-01-01T00:01:00Z").value();
    out.last_used = parse_utc("2030-01-01T00:02:00Z").value();
    out.expires = parse_utc("2030-01-02T00:00:05Z").value();
    out.local_end = parse_utc("2030-01-02T00:00:00Z").value();
    out.deadline = BootTime(std::chrono::hours(25));
    return out;
}

Snapshot described() {
    Snapshot out;
    out.generation = 0x0102030405060708;
    out.boot_id.fill(0xB0);
    out.written = parse_utc("2030-01-01T00:00:00Z").value();
    out.written_boot = BootTime(std::chrono::hours(1));
    out.high_water = parse_utc("2030-01-01T01:00:00Z").value();
    out.memory.uicc = std::string(64, 'f');
    out.memory.bootstrap = {1, 2, 3};
    out.memory.tombstones = {{"urn:a", "b@bsf"}, {"", "c@bsf"}};
    out.records.push_back(numbered(1, 1, "kitchen", KeyState::Confirmed, false, "gba-u"));
    out.records.push_back(numbered(2, 2, "", KeyState::Suspended, true, "gba-me"));
    out.records.push_back(numbered(3, 3, "k\u00FCche", KeyState::Revoked, false, "gba-u"));
    out.records.push_back(numbered(3, 4, "", KeyState::Pending, false, "gba-2g"));
    return out;
}

class StoreVector : public ::testing::Test {
protected:
    [[nodiscard]] Bytes octets(const char* name) const { return vectors::hex(vector_[name]); }
    [[nodiscard]] Kek kek() const { return Kek::from(octets("kek"), "kek").value(); }

private:
    vectors::Json vector_ = vectors::load("sealed_store.json");
};

struct Written final : PlainSink {
    void write(ByteView more) override { append(octets, more); }
    Bytes octets;
};

TEST_F(StoreVector, BothFilesAreTheSame) {
    Written plain;
    ASSERT_TRUE(encode_snapshot(described(), plain));
    EXPECT_EQ(to_hex(plain.octets), to_hex(octets("plaintext")));
    fakes::FixedRandom salt;
    salt.push(octets("salt"));
    EXPECT_EQ(to_hex(seal(described(), kek(), "mtkeyd", salt).value()), to_hex(octets("store")));
    EXPECT_EQ(to_hex(kek_id(kek())), to_hex(octets("kek_id")));
    const GenerationFloor floor{.boot_id = described().boot_id,
                                .generation = described().generation};
    EXPECT_EQ(to_hex(encode_generation(floor, kek(), "mtkeyd")), to_hex(octets("generation")));
}

TEST_F(StoreVector, BothFilesAreRead) {
    const auto key = kek();
    const std::array keks{&key};
    const auto opened = open(octets("store"), keks, "mtkeyd");
    ASSERT_TRUE(opened) << describe(opened.error());
    ASSERT_EQ(opened->snapshot.records.size(), 4U);
    EXPECT_EQ(opened->snapshot.records[2].label, "k\u00FCche");
    EXPECT_EQ(parse_generation(octets("generation"), keks, "mtkeyd")->generation,
              0x0102030405060708U);
}

// Its tag is right: only the commitment tells that the header is not this key's.
TEST_F(StoreVector, CommitmentOfAnotherKeyIsRefused) {
    const auto key = kek();
    const auto opened = open(octets("store_of_another_commitment"), std::array{&key}, "mtkeyd");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::Malformed);
}

} // namespace
} // namespace mtkey::store
