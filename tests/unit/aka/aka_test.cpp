// SPDX-License-Identifier: Apache-2.0
#include "aka/aka.hpp"

#include "base/hash.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

namespace mtkey::aka {
namespace {

using vectors::array;
using vectors::Json;
using vectors::secret;
using vectors::text_of;

class Aka : public testing::Test {
protected:
    Json example = vectors::load("worked_example.json");
    Json set = example["milenage"];
    std::unique_ptr<Algorithm> algorithm = milenage(secret<16>(set["k"]), secret<16>(set["opc"]));
    Rand rand = array<16>(set["rand"]);
    Sqn sqn = array<6>(set["sqn"]);
    Autn autn = array<16>(set["autn"]);
    Autn autn_star = array<16>(example["gba_u"]["autn_star_sent"]);
    std::uint64_t sqn_number = sqn_to_number(sqn);
};

TEST_F(Aka, Vector) {
    const Vector vector = generate_vector(*algorithm, rand, sqn, array<2>(set["amf"]));
    EXPECT_EQ(vector.rand, rand);
    EXPECT_EQ(to_hex(vector.autn), set["autn"]);
    EXPECT_EQ(text_of(vector.xres), set["res"]);
    EXPECT_EQ(text_of(vector.ck), set["ck"]);
    EXPECT_EQ(text_of(vector.ik), set["ik"]);
    EXPECT_EQ(text_of(kc_from(vector.ck, vector.ik)), set["kc"]);
    EXPECT_EQ(to_hex(algorithm->f1(rand, sqn, array<2>(set["amf"]))), set["mac_a"]);
    EXPECT_EQ(text_of(algorithm->f2345(rand).ak), set["ak"]);
}

TEST(AkaSets, VectorsOfOsmoAucGen) {
    const Json sets = vectors::load("gba_kat.json")["sets"];
    ASSERT_EQ(sets.size(), 12u);
    for (const Json& set : sets) {
        SCOPED_TRACE(set["imsi"]);
        const auto algorithm = milenage(secret<16>(set["k"]), secret<16>(set["opc"]));
        const Vector vector = generate_vector(*algorithm, array<16>(set["rand"]),
                                              array<6>(set["sqn"]), array<2>(set["amf"]));
        EXPECT_EQ(to_hex(vector.autn), set["autn"]);
        EXPECT_EQ(text_of(vector.xres), set["res"]);
        EXPECT_EQ(text_of(vector.ck), set["ck"]);
        EXPECT_EQ(text_of(vector.ik), set["ik"]);
        EXPECT_EQ(text_of(kc_from(vector.ck, vector.ik)), set["kc"]);
    }
}

TEST_F(Aka, GbaUModifiesTheMacAndFlipsRes) {
    const Secret<16> ik = secret<16>(set["ik"]);
    EXPECT_EQ(to_hex(gba_u_autn(autn, ik, {})), example["gba_u"]["autn_star_sent"]);
    const auto mask = sha1({ik.reveal()});
    EXPECT_EQ(to_hex(mask), example["gba_u"]["sha1_ik"]);
    const auto mac_a = array<8>(set["mac_a"]);
    for (std::size_t i = 0; i < mac_a.size(); ++i) { // MAC* is what stands behind SQN and AMF
        EXPECT_EQ(gba_u_autn(autn, ik, {})[8 + i], mac_a[i] ^ mask[i]) << i;
    }
    EXPECT_EQ(gba_u_autn(gba_u_autn(autn, ik, {}), ik, {}), autn);
    EXPECT_EQ(gba_u_autn(autn, ik, {.modify_mac = false}), autn);
    SecretBytes res{ByteView(array<8>(set["res"]))};
    gba_u_flip(res, {.flip_res = false});
    EXPECT_EQ(text_of(res), set["res"]);
    gba_u_flip(res, {});
    EXPECT_EQ(text_of(res), example["gba_u"]["res_flipped"]);
    SecretBytes none;
    gba_u_flip(none, {});
    EXPECT_TRUE(none.empty());
}

TEST_F(Aka, UsimAcceptsAFreshAutn) {
    const auto verdict = check_autn(*algorithm, rand, autn, sqn_from_number(sqn_number - 1));
    const auto* accepted = std::get_if<Accepted>(&verdict);
    ASSERT_NE(accepted, nullptr);
    EXPECT_EQ(accepted->sqn, sqn);
    EXPECT_EQ(text_of(accepted->outputs.res), set["res"]);
    EXPECT_EQ(text_of(accepted->outputs.ck), set["ck"]);
    EXPECT_EQ(text_of(accepted->outputs.ik), set["ik"]);
}

TEST_F(Aka, UsimAcceptsAutnStarOnlyInGbaContext) {
    const Sqn before = sqn_from_number(sqn_number - 1);
    EXPECT_TRUE(std::holds_alternative<Accepted>(
        check_autn_gba_u(*algorithm, rand, autn_star, before, {})));
    EXPECT_TRUE(std::holds_alternative<MacWrong>(check_autn(*algorithm, rand, autn_star, before)));
    EXPECT_TRUE(
        std::holds_alternative<MacWrong>(check_autn_gba_u(*algorithm, rand, autn, before, {})));
    EXPECT_TRUE(std::holds_alternative<Accepted>(
        check_autn_gba_u(*algorithm, rand, autn, before, {.modify_mac = false})));
}

TEST_F(Aka, EveryBitOfAutnIsProtected) {
    for (std::size_t bit = 0; bit < 128; ++bit) {
        Autn wrong = autn;
        wrong[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
        // Also where the changed SQN would be stale: the MAC is checked first.
        EXPECT_TRUE(std::holds_alternative<MacWrong>(check_autn(*algorithm, rand, wrong, sqn)))
            << bit;
    }
}

TEST_F(Aka, StaleOrFarAheadSqnIsOutOfSync) {
    const auto out_of_sync = [&](std::uint64_t sqn_ms, std::uint64_t limit) {
        return std::holds_alternative<OutOfSync>(
            check_autn(*algorithm, rand, autn, sqn_from_number(sqn_ms), limit));
    };
    EXPECT_TRUE(out_of_sync(sqn_number, 0));
    EXPECT_TRUE(out_of_sync(sqn_number + 1, 0));
    EXPECT_TRUE(out_of_sync(0xFFFF'FFFF'FFFF, 0));
    EXPECT_FALSE(out_of_sync(0, 0));
    EXPECT_FALSE(out_of_sync(sqn_number - 10, 10));
    EXPECT_TRUE(out_of_sync(sqn_number - 11, 10));
}

TEST_F(Aka, Resynchronisation) {
    const Sqn sqn_ms = array<6>(example["resync"]["sqn_ms"]);
    const std::string expected = example["resync"]["auts"];
    EXPECT_EQ(to_hex(make_auts(*algorithm, rand, sqn_ms)), expected);
    EXPECT_EQ(to_base64(make_auts(*algorithm, rand, sqn_ms)), example["resync"]["auts_b64"]);
    const auto plain = check_autn(*algorithm, rand, autn, sqn_ms);
    ASSERT_TRUE(std::holds_alternative<OutOfSync>(plain));
    EXPECT_EQ(to_hex(std::get<OutOfSync>(plain).auts), expected);
    const auto gba_u = check_autn_gba_u(*algorithm, rand, autn_star, sqn_ms, {});
    ASSERT_TRUE(std::holds_alternative<OutOfSync>(gba_u));
    EXPECT_EQ(to_hex(std::get<OutOfSync>(gba_u).auts), expected);
    const auto verified = verify_auts(*algorithm, rand, array<14>(expected));
    ASSERT_TRUE(verified);
    EXPECT_EQ(*verified, sqn_ms);
}

TEST_F(Aka, EveryBitOfAutsIsProtected) {
    const Auts auts = array<14>(example["resync"]["auts"]);
    for (std::size_t bit = 0; bit < 8 * auts.size(); ++bit) {
        Auts wrong = auts;
        wrong[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
        EXPECT_FALSE(verify_auts(*algorithm, rand, wrong)) << bit;
    }
    Rand other = rand;
    other[0] ^= 1;
    EXPECT_FALSE(verify_auts(*algorithm, other, auts));
}

TEST(SqnNumber, IsBigEndianAndWraps) {
    EXPECT_EQ(sqn_to_number(array<6>("ff9bb4d0b607")), 0xff9bb4d0b607u);
    EXPECT_EQ(to_hex(sqn_from_number(0xff9bb4d0b607)), "ff9bb4d0b607");
    EXPECT_EQ(to_hex(sqn_from_number(0x1'0000'0000'0001)), "000000000001");
}

} // namespace
} // namespace mtkey::aka
