// SPDX-License-Identifier: Apache-2.0
#include "store/kek.hpp"

#include "fakes/fixed_random.hpp"
#include "machine.hpp"

#include <gtest/gtest.h>
#include <sys/file.h>

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

TEST_F(KekTest, MadeOnceAndForGood) {
    FileOps files;
    SystemRandom random;
    ASSERT_EQ(make_kek(key_file(), files, random), true);
    EXPECT_EQ(fs::status(key_file()).permissions(), fs::perms(0400));
    EXPECT_EQ(fs::file_size(key_file()), 32U);
    const auto keks = load_keks(source());
    ASSERT_TRUE(keks && keks->current);
    EXPECT_FALSE(*keks->current == Kek{}) << "32 zero octets are no key";
    ASSERT_EQ(make_kek(key_file(), files, random), false);
    EXPECT_TRUE(*load_keks(source())->current == *keks->current) << "left as it is";

    fs::remove(key_file());
    fs::create_symlink("nowhere", key_file());
    EXPECT_EQ(make_kek(key_file(), files, random), false) << "and so is whatever is there";
    fs::remove(key_file());
    Machine::write(key_file().string() + ".tmp", Bytes(7)); // of somebody who was killed
    ASSERT_EQ(make_kek(key_file(), files, random), true);
    EXPECT_FALSE(*load_keks(source())->current == *keks->current);
}

TEST_F(KekTest, MakersTakeTurns) {
    struct Counting final : FileOps {
        int flock(int fd, int operation) override {
            locks.push_back(operation);
            return FileOps::flock(fd, operation);
        }
        std::vector<int> locks;
    } files;
    SystemRandom random;
    ASSERT_TRUE(make_kek(key_file(), files, random));
    EXPECT_EQ(files.locks, std::vector<int>{LOCK_EX | LOCK_NB});
}

TEST_F(KekTest, NothingStandsThereUnlessItIsWhole) {
    struct Failing final : FileOps {
        int openat(int directory, const char* name, int flags, mode_t mode) override {
            return fails() ? -1 : FileOps::openat(directory, name, flags, mode);
        }
        int fstat(int fd, struct stat& out) override {
            return fails() ? -1 : FileOps::fstat(fd, out);
        }
        ssize_t write(int fd, ByteView octets) override {
            return fails() ? -1 : FileOps::write(fd, octets.first(1));
        }
        int fdatasync(int) override { return fails() ? -1 : 0; }
        int fsync(int) override { return fails() ? -1 : 0; }
        int renameat(int directory, const char* from, const char* to) override {
            return fails() ? -1 : FileOps::renameat(directory, from, to);
        }
        int flock(int fd, int operation) override {
            return fails() ? -1 : FileOps::flock(fd, operation);
        }
        bool fails() {
            errno = EIO;
            return left-- == 0;
        }
        int left = 0;
    };
    SystemRandom random;
    int call = 0;
    while (true) {
        Failing files;
        files.left = call++;
        const auto made = make_kek(key_file(), files, random);
        if (made) {
            break;
        }
        EXPECT_EQ(made.error().code, Errc::StoreFailed) << call;
        EXPECT_FALSE(fs::exists(key_file().string() + ".tmp")) << call;
        if (fs::exists(key_file())) { // all but the folder's sync was done
            EXPECT_TRUE(load_keks(source())->current) << call;
            Failing again;
            again.left = 4; // the same sync, of the next start
            EXPECT_EQ(make_kek(key_file(), again, random).error().code, Errc::StoreFailed);
            fs::remove(key_file());
        }
    }
    EXPECT_GT(call, 36) << "each octet was written by itself";
    fakes::FixedRandom dry;
    fs::remove(key_file());
    FileOps files;
    EXPECT_EQ(make_kek(key_file(), files, dry).error().code, Errc::RandomFailed);
    EXPECT_FALSE(fs::exists(key_file()));
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
