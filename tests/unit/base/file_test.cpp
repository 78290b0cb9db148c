// SPDX-License-Identifier: Apache-2.0
#include "base/file.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mtkey {
namespace {

class FileTest : public ::testing::Test {
protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "mtkey-file-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        dir_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(dir_); }
    std::string make(const std::string& name, const std::string& content, mode_t mode) {
        const std::string path = dir_ + "/" + name;
        std::ofstream(path) << content;
        ::chmod(path.c_str(), mode);
        return path;
    }
    std::string dir_;
};

TEST_F(FileTest, ReadsWhatItMayTrust) {
    const auto path = make("a", "content", 0600);
    for (const auto trust : {Trust::Any, Trust::Config, Trust::Private}) {
        EXPECT_EQ(read_file(path, 100, trust), "content");
    }
    EXPECT_EQ(as_text(read_secret_file(path, 100)->reveal()), "content");
    EXPECT_EQ(read_file(path, 7, Trust::Any), "content");
}

TEST_F(FileTest, RefusesWhatOthersMayTouch) {
    const auto readable = make("r", "x", 0644);
    EXPECT_TRUE(read_file(readable, 100, Trust::Config));
    EXPECT_EQ(read_file(readable, 100, Trust::Private).error().code, Errc::NotAuthorized);
    const auto writable = make("w", "x", 0622);
    EXPECT_EQ(read_file(writable, 100, Trust::Config).error().code, Errc::NotAuthorized);
    EXPECT_TRUE(read_file(writable, 100, Trust::Any));
}

TEST_F(FileTest, RefusesLinksLargeFilesAndOddThings) {
    const auto path = make("a", "12345", 0600);
    EXPECT_EQ(read_file(path, 4, Trust::Any).error().code, Errc::LimitExceeded);
    EXPECT_EQ(read_file(dir_ + "/none", 4, Trust::Any).error().code, Errc::NotFound);
    EXPECT_EQ(read_file(dir_, 4000, Trust::Any).error().code, Errc::InvalidArgument);
    std::filesystem::create_symlink(path, dir_ + "/link");
    EXPECT_FALSE(read_file(dir_ + "/link", 100, Trust::Private));
    ASSERT_EQ(::mkfifo((dir_ + "/fifo").c_str(), 0600), 0);
    EXPECT_EQ(read_file(dir_ + "/fifo", 100, Trust::Any).error().code, Errc::InvalidArgument);
}

TEST_F(FileTest, WritesPrivatelyAndWhole) {
    const auto path = make("key", "old", 0644);
    ASSERT_TRUE(write_private_file(path, as_octets("new content")));
    EXPECT_EQ(read_file(path, 100, Trust::Private), "new content");
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
    EXPECT_FALSE(write_private_file(dir_ + "/none/x", as_octets("x")));
}

TEST_F(FileTest, SecretsFromADescriptor) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    ASSERT_TRUE(write_all(ends[1], as_octets("1234")));
    ::close(ends[1]);
    EXPECT_EQ(as_text(read_secret_fd(ends[0], 8)->reveal()), "1234");
    ::close(ends[0]);
    EXPECT_FALSE(read_secret_fd(ends[0], 8));
}

} // namespace
} // namespace mtkey
