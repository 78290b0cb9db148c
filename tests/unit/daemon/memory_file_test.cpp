// SPDX-License-Identifier: Apache-2.0
#include "daemon/memory_file.hpp"

#include "daemon/past_keeper.hpp"
#include "fakes/manual_clock.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace mtkey::daemon {
namespace {

namespace fs = std::filesystem;

class MemoryFileTest : public ::testing::Test {
protected:
    MemoryFileTest() {
        std::string name = fs::temp_directory_path() / "mtkey.XXXXXX";
        folder = ::mkdtemp(name.data());
    }
    ~MemoryFileTest() override { fs::remove_all(folder); }
    [[nodiscard]] fs::path file() const { return folder / "bootstrap"; }
    [[nodiscard]] fs::path bad() const { return folder / "bootstrap.bad"; }
    static keys::BootstrapPast past() {
        keys::BootstrapPast out;
        out.boot_id = "b001";
        out.runs = {{BootTime(std::chrono::hours(1)), keys::device_tag("a")}};
        return out;
    }
    fs::path folder;
};

TEST_F(MemoryFileTest, WritesAFileOfOurOwn) {
    MemoryFile memory(folder);
    const auto first = memory.load();
    ASSERT_TRUE(first);
    EXPECT_FALSE(*first);
    ASSERT_TRUE(memory.store(past()));
    struct stat status{};
    ASSERT_EQ(::stat(file().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600U);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1) << "nothing besides";
    const auto back = memory.load();
    ASSERT_TRUE(back && *back);
    EXPECT_EQ(**back, past());
}

TEST_F(MemoryFileTest, WhatCannotBeBelievedIsSetAside) {
    MemoryFile memory(folder);
    const auto spoil = [&](const std::function<void()>& how, Errc why) {
        ASSERT_TRUE(memory.store(past()));
        how();
        const auto loaded = memory.load();
        ASSERT_FALSE(loaded);
        EXPECT_EQ(loaded.error().code, why) << describe(loaded.error());
        EXPECT_FALSE(fs::exists(file()));
        EXPECT_TRUE(fs::exists(fs::symlink_status(bad())));
        const auto again = memory.load();
        ASSERT_TRUE(again);
        EXPECT_FALSE(*again);
    };
    spoil([&] { std::ofstream(file(), std::ios::app) << "x"; }, Errc::Malformed);
    spoil([&] { fs::resize_file(file(), 0); }, Errc::Malformed);
    spoil([&] { fs::resize_file(file(), keys::kBootstrapPastLimit + 1); }, Errc::LimitExceeded);
    spoil([&] { ::chmod(file().c_str(), 0640); }, Errc::NotAuthorized);
    spoil(
        [&] {
            fs::rename(file(), folder / "elsewhere");
            fs::create_symlink(folder / "elsewhere", file());
        },
        Errc::InvalidArgument);
}

TEST_F(MemoryFileTest, FolderThatIsNotThereIsSaidByEachWrite) {
    MemoryFile memory(folder / "none");
    ASSERT_TRUE(memory.load());
    EXPECT_EQ(memory.store(past()).error().code, Errc::NotFound);
    MemoryFile nowhere("");
    ASSERT_TRUE(nowhere.load());
    EXPECT_FALSE(*nowhere.load());
    EXPECT_TRUE(nowhere.store(past()));
}

TEST_F(MemoryFileTest, KeeperWritesTheLatestTimeItHasSeen) {
    fakes::ManualClock clock("2026-01-01T00:00:00Z");
    MemoryFile memory(folder);
    {
        PastKeeper keeper(memory, clock, "b001");
        EXPECT_EQ(keeper.origin(), PastKeeper::Origin::FirstStart);
        keeper.change([](auto& past) { past.without_gba = {std::string(64, 'a')}; },
                      PastKeeper::Write::WithTheNext);
        EXPECT_FALSE(fs::exists(file()));
        keeper.change([](auto&) {});
        clock.jump_utc(-std::chrono::hours(1));
        keeper.change([](auto&) {});
    }
    const auto stored = memory.load().value().value();
    EXPECT_EQ(stored.high_water, parse_utc("2026-01-01T00:00:00Z").value());
    EXPECT_EQ(stored.saved, parse_utc("2025-12-31T23:00:00Z").value());
    EXPECT_EQ(stored.without_gba.size(), 1U);
    EXPECT_EQ(PastKeeper(memory, clock, "b001").origin(), PastKeeper::Origin::Remembered);
}

} // namespace
} // namespace mtkey::daemon
