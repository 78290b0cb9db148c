// SPDX-License-Identifier: Apache-2.0
#include "self_test/self_test.hpp"

#include <gtest/gtest.h>

namespace mtkey {
namespace {

TEST(SelfTest, WhatIsSoundPasses) {
    ASSERT_TRUE(init_secure_heap());
    const auto done = self_test();
    EXPECT_TRUE(done) << describe(done.error());
}

TEST(SelfTest, FindsEachThatIsBroken) {
    ASSERT_TRUE(init_secure_heap());
    const auto expect_found = [](const char* what, auto spoil) {
        auto primitives = Primitives::real();
        spoil(primitives);
        const auto done = self_test(primitives);
        ASSERT_FALSE(done) << what;
        EXPECT_EQ(done.error().code, Errc::CryptoFailed);
        EXPECT_NE(done.error().context.find(what), std::string::npos) << done.error().context;
    };
    const auto real = Primitives::real();
    expect_found("HMAC", [](Primitives& p) {
        p.hmac_sha256 = [](ByteView, ByteView) { return Secret<32>(); };
    });
    expect_found("key derivation", [&](Primitives& p) {
        p.ks_naf = [&](ByteView) { return real.ks_naf(Bytes(32)); };
    });
    expect_found("HKDF", [](Primitives& p) {
        p.unseal = [](ByteView) -> Result<SecretBytes> { return SecretBytes(16); };
    });
    expect_found("HKDF", [](Primitives& p) {
        p.unseal = [](ByteView) -> Result<SecretBytes> { return fail(Errc::CryptoFailed, ""); };
    });
    expect_found("authentication", [&](Primitives& p) {
        p.unseal = [&, good = Bytes()](ByteView file) mutable {
            if (good.empty()) {
                good.assign(file.begin(), file.end());
            }
            return real.unseal(good); // whatever it is given
        };
    });
    expect_found("wiping", [](Primitives& p) { p.wipe = [](std::span<std::uint8_t>) {}; });
    expect_found("wiping", [](Primitives& p) {
        p.wipe = [](std::span<std::uint8_t> octets) { mtkey::wipe(octets.first(48)); };
    });
    expect_found("releasing", [](Primitives& p) { p.release = [](SecretBytes&) {}; });
}

} // namespace
} // namespace mtkey
