// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/gba_2g.hpp"

#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

namespace mtkey::bsf {
namespace {

TEST(Gba2gChallenge, WorkedExample) {
    const auto example = vectors::load("worked_example.json");
    const auto expected = example["gba_2g"];
    const auto algorithm = aka::milenage(vectors::secret<16>(example["milenage"]["k"]),
                                         vectors::secret<16>(example["milenage"]["opc"]));
    const auto vector =
        aka::generate_vector(*algorithm, vectors::array<16>(expected["rand"]), {}, {});
    const auto challenge = make_2g_challenge(vector, vectors::array<16>(expected["ks_input"]));
    ASSERT_TRUE(challenge) << describe(challenge.error());
    EXPECT_EQ(challenge->nonce, expected["nonce"]);
    EXPECT_EQ(vectors::text_of(challenge->password), expected["res"]);
    EXPECT_EQ(vectors::text_of(challenge->ks), expected["ks"]);
}

} // namespace
} // namespace mtkey::bsf
