// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.hpp"
#include "base/hash.hpp"
#include "base/random.hpp"

#include <gtest/gtest.h>

namespace mtkey {
namespace {

TEST(Hash, PublishedValues) {
    // RFC 1321 A.5, FIPS 180-2 appendices A.1 and B.1.
    EXPECT_EQ(to_hex(md5({as_octets("abc")})), "900150983cd24fb0d6963f7d28e17f72");
    EXPECT_EQ(to_hex(sha1({as_octets("a"), as_octets("bc")})),
              "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(to_hex(sha256({as_octets("ab"), {}, as_octets("c")})),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hash, HmacOfRfc4231) {
    // Test cases 1 and 2 of RFC 4231 section 4, and a key longer than a block (case 6).
    const Bytes key1(20, 0x0b);
    EXPECT_EQ(to_hex(hmac_sha256(key1, {as_octets("Hi "), as_octets("There")}).reveal()),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(
        to_hex(
            hmac_sha256(as_octets("Jefe"), {as_octets("what do ya want for nothing?")}).reveal()),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    const Bytes key6(131, 0xaa);
    EXPECT_EQ(
        to_hex(
            hmac_sha256(key6, {as_octets("Test Using Larger Than Block-Size Key - Hash Key First")})
                .reveal()),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hash, EmptyKeyAndMessage) {
    // Python 3.11: hmac.new(b'', b'', 'sha256').hexdigest()
    EXPECT_EQ(to_hex(hmac_sha256({}, {}).reveal()),
              "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Random, FillsAndDiffers) {
    SystemRandom random;
    std::array<std::uint8_t, 32> a{};
    std::array<std::uint8_t, 32> b{};
    ASSERT_TRUE(random.fill(a));
    ASSERT_TRUE(random.fill(b));
    EXPECT_NE(a, b);
    EXPECT_TRUE(random.fill({}));
}

} // namespace
} // namespace mtkey
