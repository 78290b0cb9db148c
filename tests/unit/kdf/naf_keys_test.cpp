// SPDX-License-Identifier: Apache-2.0
#include "kdf/naf_keys.hpp"

#include "base/hash.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

namespace mtkey::kdf {
namespace {

using vectors::Json;
using vectors::text_of;

struct Inputs {
    Secret<32> ks;
    Rand rand;
    std::string impi;
    NafId naf_id;
};

Inputs inputs(const Json& ck_ik_rand, const Json& identities, const char* ua) {
    return {ks(vectors::array<16>(ck_ik_rand["ck"]), vectors::array<16>(ck_ik_rand["ik"])),
            vectors::array<16>(ck_ik_rand["rand"]),
            identities["impi"],
            {identities["naf_fqdn"], vectors::array<5>(identities[ua])}};
}

TEST(NafKeys, WorkedExample) {
    const Json example = vectors::load("worked_example.json");
    const Inputs in = inputs(example["milenage"], example["identities"], "ua_security_protocol_id");
    EXPECT_EQ(text_of(in.ks), example["ks"]);
    EXPECT_EQ(to_hex(in.naf_id.octets()), example["identities"]["naf_id_hex"]);
    const auto external = ks_ext_naf(in.ks, in.rand, in.impi, in.naf_id);
    const auto internal = ks_int_naf(in.ks, in.rand, in.impi, in.naf_id);
    ASSERT_TRUE(external && internal);
    EXPECT_EQ(text_of(*external), example["gba_me"]["ks_naf"]);
    EXPECT_EQ(text_of(*external), example["gba_u"]["ks_ext_naf"]);
    EXPECT_EQ(text_of(*internal), example["gba_u"]["ks_int_naf"]);
    const auto pseudonym =
        tmpi(in.ks, in.rand, in.impi, std::string(example["identities"]["bsf_fqdn"]));
    ASSERT_TRUE(pseudonym);
    EXPECT_EQ(*pseudonym, example["tmpi"]);
}

// The string S itself, octet for octet: a wrong key alone would not say where.
TEST(NafKeys, WorkedExampleIsTheHmacOverItsPrintedS) {
    const Json example = vectors::load("worked_example.json");
    const Bytes s = vectors::hex(example["gba_me"]["ks_naf_S"]);
    EXPECT_EQ(text_of(hmac_sha256(vectors::hex(example["ks"]), {s})), example["gba_me"]["ks_naf"]);
}

// Source: AOSP ImsStack SscAuthAgentTest.java, the one published GBA key.
TEST(NafKeys, PublishedVectorOfImsStack) {
    const Json vector = vectors::load("worked_example.json")["public_vector_imsstack"];
    const Inputs in = inputs(vector, vector, "ua_security_protocol_id");
    const auto key = ks_ext_naf(in.ks, in.rand, in.impi, in.naf_id);
    ASSERT_TRUE(key);
    EXPECT_EQ(to_base64(key->reveal()), "Jg+hMfl8v8hNj/Lqwx3ujR9HlGl4MFPWaBX518+j9Aw=");
    EXPECT_EQ(to_base64(key->reveal()), vector["ks_naf_b64"]);
    EXPECT_EQ(text_of(*key), vector["ks_naf"]);
    const std::string b_tid = vector["btid"]; // base64 of RAND, as TS 33.220 clause 4.5.2 has it
    EXPECT_EQ(b_tid, to_base64(in.rand) + "@bsf." + in.naf_id.fqdn);
}

TEST(NafKeys, TwelveSetsOfTwoForeignImplementations) {
    const Json sets = vectors::load("gba_kat.json")["sets"];
    ASSERT_EQ(sets.size(), 12u);
    for (const Json& set : sets) {
        const Inputs in = inputs(set, set, "ua");
        const auto key = ks_ext_naf(in.ks, in.rand, in.impi, in.naf_id);
        const auto pseudonym = tmpi(in.ks, in.rand, in.impi, std::string(set["realm"]));
        ASSERT_TRUE(key && pseudonym);
        EXPECT_EQ(text_of(*key), set["ks_naf"]);
        EXPECT_EQ(*pseudonym, set["tmpi"]);
    }
}

TEST(NafKeys, RefusesMissingIdentities) {
    const Secret<32> key;
    const NafId naf_id{"naf.example.com", kDefaultUaId};
    EXPECT_FALSE(ks_ext_naf(key, {}, "", naf_id));
    EXPECT_FALSE(ks_int_naf(key, {}, "user@example.com", NafId{}));
    EXPECT_FALSE(tmpi(key, {}, "user@example.com", "no name"));
}

} // namespace
} // namespace mtkey::kdf
