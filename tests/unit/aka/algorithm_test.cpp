// SPDX-License-Identifier: Apache-2.0
#include "aka/algorithm.hpp"

#include "aka/aka.hpp"
#include "aka/digest.hpp"
#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

namespace mtkey::aka {
namespace {

using vectors::array;
using vectors::Json;
using vectors::secret;
using vectors::text_of;

TEST(Milenage, UmtsSetsOfTs35208) {
    const Json sets = vectors::load("milenage_vectors.json")["umts"];
    ASSERT_EQ(sets.size(), 20u);
    for (const Json& set : sets) {
        SCOPED_TRACE(set["id"]);
        EXPECT_EQ(text_of(opc_from_op(secret<16>(set["k"]), secret<16>(set["op"]))), set["opc"]);
        const auto algorithm = milenage(secret<16>(set["k"]), secret<16>(set["opc"]));
        const auto rand = array<16>(set["rand"]);
        const auto sqn = array<6>(set["sqn"]);
        const auto amf = array<2>(set["amf"]);
        EXPECT_EQ(to_hex(algorithm->f1(rand, sqn, amf)), set["f1"]);
        EXPECT_EQ(to_hex(algorithm->f1_star(rand, sqn, amf)), set["f1star"]);
        const auto outputs = algorithm->f2345(rand);
        EXPECT_EQ(text_of(outputs.res), set["f2"]);
        EXPECT_EQ(text_of(outputs.ck), set["f3"]);
        EXPECT_EQ(text_of(outputs.ik), set["f4"]);
        EXPECT_EQ(text_of(outputs.ak), set["f5"]);
        EXPECT_EQ(text_of(algorithm->f5_star(rand)), set["f5star"]);
    }
}

TEST(Milenage, GsmMilenageOfTs55205) {
    const Json sets = vectors::load("milenage_vectors.json")["gsm"];
    ASSERT_EQ(sets.size(), 19u);
    for (const Json& set : sets) {
        SCOPED_TRACE(set["id"]);
        const auto algorithm = milenage(secret<16>(set["ki"]), secret<16>(set["opc"]));
        const auto triplet = gsm_triplet(*algorithm, array<16>(set["rand"]));
        EXPECT_EQ(text_of(triplet.sres), set["sres1"]);
        EXPECT_EQ(text_of(triplet.kc), set["kc"]);
    }
}

TEST(Conversion, SresOfEveryLengthOfRes) {
    const auto sres = [](const std::string& res) {
        return text_of(sres_from(SecretBytes(vectors::hex(res))));
    };
    EXPECT_EQ(sres("01020304"), "01020304");
    EXPECT_EQ(sres("0102030410"), "11020304"); // behind it, zeros
    EXPECT_EQ(sres("0102030410203040"), "11223344");
    EXPECT_EQ(sres("01020304102030400000000500000600"), "11223541");
}

// TS 34.108 clause 8.1.2, with the inputs of the published ImsStack vector.
TEST(XorTestUsim, VectorOfImsStack) {
    const Json vector = vectors::load("worked_example.json")["public_vector_imsstack"];
    const auto algorithm = xor_test(secret<16>(vector["k"]));
    const auto outputs = algorithm->f2345(array<16>(vector["rand"]));
    EXPECT_EQ(text_of(outputs.res), vector["res"]);
    EXPECT_EQ(text_of(outputs.ck), vector["ck"]);
    EXPECT_EQ(text_of(outputs.ik), vector["ik"]);
    const Vector generated = generate_vector(*algorithm, array<16>(vector["rand"]),
                                             array<6>(vector["sqn"]), array<2>(vector["amf"]));
    EXPECT_EQ(to_hex(generated.autn), vector["autn"]);
    EXPECT_EQ(make_nonce(generated.rand, generated.autn), vector["nonce"]);
}

} // namespace
} // namespace mtkey::aka
