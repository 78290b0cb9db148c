// SPDX-License-Identifier: Apache-2.0
#include "kdf/local_mt.hpp"

#include "base/hash.hpp"
#include "vectors/vector_file.hpp"

#include <array>
#include <gtest/gtest.h>

namespace mtkey::kdf {
namespace {

using vectors::Json;
using vectors::text_of;

class KsLocalMt : public testing::Test {
protected:
    Json example = vectors::load("worked_example.json");
    Secret<32> ks_naf = vectors::secret<32>(example["gba_u"]["ks_ext_naf"]);
    std::string b_tid = example["btid"];
    NafId naf_id{example["identities"]["naf_fqdn"], kDefaultUaId};
    std::string device_id = example["identities"]["device_id"];
};

TEST_F(KsLocalMt, WorkedExample) {
    const auto key = ks_local_mt(draft_1(), ks_naf, b_tid, naf_id, device_id);
    ASSERT_TRUE(key);
    EXPECT_EQ(text_of(*key), "520ff2b50c0d16c7e5bad24dd9b3de6017578db5d96466b1fe003111e30d5b95");
    EXPECT_EQ(text_of(*key), example["ks_local_mt"]["value"]);
    const Bytes s = vectors::hex(example["ks_local_mt"]["S"]);
    EXPECT_TRUE(*key == hmac_sha256(ks_naf.reveal(), {s}));
}

// S is put together here from what the file says of each parameter, and the profile is asked
// whether it says the same.
TEST_F(KsLocalMt, ProfileIsTheOneOfTheWorkedExample) {
    using Input = KdfProfile::Input;
    struct Parameter {
        Input input;
        std::string words;
        Bytes octets;
    };
    const auto octets = [](std::string_view text) { return Bytes(text.begin(), text.end()); };
    const std::array parameters{
        Parameter{Input::BTid, "B-TID (UTF-8)", octets(b_tid)},
        Parameter{Input::NafId, "NAF_ID (FQDN || 5 octets)", naf_id.octets()},
        Parameter{Input::DeviceId, "Device_ID (UTF-8)", octets(device_id)}};
    const Json row = example["ks_local_mt"];
    const auto& profile = draft_1();
    EXPECT_EQ(profile.name, row["profile"]);
    EXPECT_EQ(std::string("Ks_(ext)_NAF"), row["key"]);
    EXPECT_EQ(to_hex(profile.fc), row["fc"]);
    EXPECT_EQ(profile.p0, row["p0"]);
    ASSERT_EQ(profile.order.size(), parameters.size());
    std::string s = row["fc"];
    const auto add = [&s](ByteView value) {
        const auto size = static_cast<std::uint8_t>(value.size());
        s += to_hex(value) + to_hex(std::array<std::uint8_t, 2>{0, size});
    };
    add(octets(std::string(row["p0"])));
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        const std::string words = row["p" + std::to_string(i + 1)];
        EXPECT_EQ(parameters[i].words, words);
        EXPECT_EQ(parameters[i].input, profile.order[i]) << words;
        add(parameters[i].octets);
    }
    EXPECT_EQ(s, row["S"]);
}

TEST_F(KsLocalMt, EveryInputMatters) {
    const auto key = ks_local_mt(draft_1(), ks_naf, b_tid, naf_id, device_id);
    NafId other_ua = naf_id;
    other_ua.ua[4] ^= 1;
    KdfProfile other_order = draft_1();
    std::swap(other_order.order[0], other_order.order[2]);
    KdfProfile other_fc = draft_1();
    other_fc.fc = {0xFF, 0x01};
    KdfProfile no_label = draft_1();
    no_label.p0.clear();
    ASSERT_TRUE(key);
    for (const auto& other : {ks_local_mt(draft_1(), Secret<32>(), b_tid, naf_id, device_id),
                              ks_local_mt(draft_1(), ks_naf, "x" + b_tid, naf_id, device_id),
                              ks_local_mt(draft_1(), ks_naf, b_tid, other_ua, device_id),
                              ks_local_mt(draft_1(), ks_naf, b_tid, naf_id, device_id + "1"),
                              ks_local_mt(other_order, ks_naf, b_tid, naf_id, device_id),
                              ks_local_mt(other_fc, ks_naf, b_tid, naf_id, device_id),
                              ks_local_mt(no_label, ks_naf, b_tid, naf_id, device_id)}) {
        ASSERT_TRUE(other);
        EXPECT_FALSE(*key == *other);
    }
}

TEST_F(KsLocalMt, RefusesWhatIsIncomplete) {
    EXPECT_FALSE(ks_local_mt(draft_1(), ks_naf, "", naf_id, device_id));
    EXPECT_FALSE(ks_local_mt(draft_1(), ks_naf, b_tid, NafId{}, device_id));
    EXPECT_FALSE(ks_local_mt(draft_1(), ks_naf, b_tid, naf_id, "Upper"));
    using Input = KdfProfile::Input;
    KdfProfile profile = draft_1();
    for (const auto& order : {std::vector<Input>{},
                              {Input::BTid, Input::NafId},
                              {Input::BTid, Input::NafId, Input::NafId},
                              {Input::BTid, Input::NafId, Input::DeviceId, Input::BTid}}) {
        profile.order = order;
        EXPECT_FALSE(ks_local_mt(profile, ks_naf, b_tid, naf_id, device_id));
    }
    profile = draft_1();
    profile.fc = {};
    EXPECT_FALSE(ks_local_mt(profile, ks_naf, b_tid, naf_id, device_id));
}

TEST(KdfProfiles, AreFoundByName) {
    const auto found = find_profile("draft-1");
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, &draft_1());
    for (const auto* name : {"", "draft-2", "DRAFT-1", "rel7plus"}) {
        const auto missing = find_profile(name);
        ASSERT_FALSE(missing) << name;
        EXPECT_EQ(missing.error().code, Errc::ProfileMismatch);
    }
}

TEST(DeviceId, CanonicalFormOnly) {
    for (const auto& text : {std::string("urn:uuid:6f1b0a52-9c3d-4e58-8f7e-2b1f4a0c9d10"),
                             std::string("x"), std::string("!~"), std::string(128, 'a')}) {
        const auto id = canonical_device_id(text);
        ASSERT_TRUE(id) << text;
        EXPECT_EQ(*id, text);
    }
    for (const auto& text :
         {std::string(), std::string(129, 'a'), std::string("a b"), std::string("Urn:x"),
          std::string("a\n"), std::string("a\0b", 3), std::string("a\x7F"), std::string("\xC3\xA4"),
          std::string(" a"), std::string("a\t")}) {
        const auto id = canonical_device_id(text);
        ASSERT_FALSE(id) << text;
        EXPECT_EQ(id.error().code, Errc::Malformed);
    }
}

} // namespace
} // namespace mtkey::kdf
