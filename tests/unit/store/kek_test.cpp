// SPDX-License-Identifier: Apache-2.0
#include "store/kek.hpp"

#include "machine.hpp"

#include <gtest/gtest.h>

namespace mtkey::store {
namespace {

namespace fs = std::filesystem;

class KekTest : public ::testing::Test {
protected:
    void SetUp() override { fs::create_directory(credentials()); }
    [[nodiscard]] fs::path credentials() const { return scratch_.path() / "credentials"; }
    [[nodiscard]] fs::path key_file() const { return scratch_.path() / "key"; }
    [[nodiscard]] KekSource source() const {
        return {.credentials_directory = credentials(),
                .credential = "mtkeyd.store-key",
                .key_file = key_file()};
    }
    static void make(const fs::path& path, std::uint8_t octet, unsigned mode = 0400,
                     std::size_t size = 32) {
        fs::remove(path);
        Machine::write(path, Bytes(size, octet));
        fs::permissions(path, fs::perms(mode));
    }
    [[nodiscard]] fs::path credential() const { return credentials() / "mtkeyd.store-key"; }
    [[nodiscard]] std::string refused() const {
        const auto keks = load_keks(source());
        return keks ? "" : std::string(info(keks.error().code).name);
    }

private:
    fakes::ScratchDirectory scratch_;
};

TEST_F(KekTest, CredentialThenFileThenNone) {
    EXPECT_EQ(load_keks({})->origin, "none");
    auto keks = load_keks(source());
    ASSERT_TRUE(keks);
    EXPECT_FALSE(keks->current);
    EXPECT_EQ(keks->origin, "none");
    make(key_file(), 1);
    keks = load_keks(source());
    ASSERT_TRUE(keks && keks->current);
    EXPECT_TRUE(*keks->current == kek_of(1));
    EXPECT_FALSE(keks->next);
    EXPECT_EQ(keks->origin, "file");
    make(credential(), 2);
    keks = load_keks(source());
    ASSERT_TRUE(keks && keks->current);
    EXPECT_TRUE(*keks->current == kek_of(2));
    EXPECT_EQ(keks->origin, "credential");
}

TEST_F(KekTest, NextKeyBesideTheCurrentOne) {
    make(credential(), 2);
    make(credentials() / "mtkeyd.store-key.new", 3);
    auto keks = load_keks(source());
    ASSERT_TRUE(keks && keks->current && keks->next);
    EXPECT_TRUE(*keks->current == kek_of(2));
    EXPECT_TRUE(*keks->next == kek_of(3));
    fs::remove(credential()); // killed before the new one was renamed
    keks = load_keks(source());
    ASSERT_TRUE(keks && keks->current);
    EXPECT_TRUE(*keks->current == kek_of(3));
    EXPECT_FALSE(keks->next);
    EXPECT_EQ(keks->origin, "credential");
}

TEST_F(KekTest, WhatIsThereAndNotRightIsAnError) {
    make(key_file(), 1);
    for (const std::size_t size : std::initializer_list<std::size_t>{0, 16, 31, 33, 64}) {
        make(credential(), 2, 0400, size);
        EXPECT_FALSE(load_keks(source())) << size << ": never the file instead";
    }
    fs::remove(credential());
    for (const unsigned mode : {0440U, 0404U, 0640U, 0602U}) {
        make(key_file(), 1, mode);
        EXPECT_EQ(refused(), "NotAuthorized") << mode;
    }
    make(key_file(), 1, 0600);
    EXPECT_EQ(refused(), "");
    fs::rename(key_file(), credentials() / "elsewhere");
    fs::create_symlink(credentials() / "elsewhere", key_file());
    EXPECT_EQ(refused(), "InvalidArgument");
}

/// systemd lets a user in by an ACL where the file system has them: the mask looks like the group.
TEST_F(KekTest, CredentialWithAnAcl) {
    make(credential(), 2, 0440);
    EXPECT_EQ(refused(), "");
    for (const unsigned mode : {0460U, 0404U, 0402U}) {
        make(credential(), 2, mode);
        EXPECT_EQ(refused(), "NotAuthorized") << mode;
    }
}

} // namespace
} // namespace mtkey::store
