// SPDX-License-Identifier: Apache-2.0
#include "kdf/gba_2g.hpp"

#include "vectors/vector_file.hpp"

#include <gtest/gtest.h>

namespace mtkey::kdf {
namespace {

using vectors::array;
using vectors::secret;
using vectors::text_of;

TEST(Gba2g, WorkedExample) {
    const auto example = vectors::load("worked_example.json")["gba_2g"];
    const auto kc = secret<8>(example["kc"]);
    const auto sres = secret<4>(example["sres"]);
    const auto rand = array<16>(example["rand"]);
    EXPECT_EQ(text_of(gba_2g_res(kc, sres, rand).value()), example["res"]);
    EXPECT_EQ(text_of(gba_2g_ks(kc, sres, rand, array<16>(example["ks_input"])).value()),
              example["ks"]);
}

// Python: hmac.new(key, b"\x01" + parameters with their lengths, "sha256"), with
// Kc = 0011223344556677, RAND = 00 01 .. 0f, SRES = 89abcdef, Ks-input = 16 octets a5.
TEST(Gba2g, AgainstPython) {
    const auto kc = secret<8>("0011223344556677");
    const auto sres = secret<4>("89abcdef");
    const auto rand = array<16>("000102030405060708090a0b0c0d0e0f");
    const auto ks_input = array<16>("a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5");
    EXPECT_EQ(text_of(gba_2g_res(kc, sres, rand).value()), "53cfca23cc5b4b23804a6a6d03a82e6a");
    EXPECT_EQ(text_of(gba_2g_ks(kc, sres, rand, ks_input).value()),
              "b6ac36218f9c3cb347f0503609acf7e5c0f79be168f9fd318c278e94e332b9a6");
}

} // namespace
} // namespace mtkey::kdf
