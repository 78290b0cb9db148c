// SPDX-License-Identifier: Apache-2.0
// A writer is killed at a random moment, again and again. It says what it is about to do and what
// the store has acknowledged; the next start must find just that.
//   test-store_kill [--kills=10000] [--seed=N]
#include "base/encoding.hpp"
#include "machine.hpp"

#include <csignal>
#include <cstdio>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <random>
#include <spawn.h>
#include <sstream>
#include <sys/wait.h>

namespace mtkey::store {
namespace {

using Keys = std::map<std::string, int>;
namespace fs = std::filesystem;

int wanted_kills = 500;
unsigned seed = std::random_device()();

Result<std::unique_ptr<SealedKeyStore>> start_in(const fs::path& folder, FileOps& files,
                                                 const Clock& clock, RandomSource& random) {
    StorePlace place{.directory = folder / "disk",
                     .runtime_directory = folder / "run",
                     .store_id = "mtkeyd",
                     .layouts = kLayouts,
                     .access = Access::Change};
    return SealedKeyStore::open(std::move(place),
                                StoreParts{.files = files,
                                           .clock = clock,
                                           .random = random,
                                           .boot_id = MTKEY_TRY(system_boot_id()),
                                           .key_id = test_key_id},
                                Keks{.current = kek_of(1), .next = {}, .origin = "file"});
}

void say(const std::string& line) {
    static_cast<void>(write_all(STDOUT_FILENO, as_octets(line + "\n")));
}

/// Until it is killed. "started", then for each change what is about to be ("will a 7", "will a? 7"
/// for a pending one, "will a 0" for an erasure, "will a -1" for a confirmation) and "done".
int writer(const fs::path& folder, unsigned number) {
    FileOps files;
    SystemClock clock;
    SystemRandom random;
    if (!init_secure_heap()) {
        return 3;
    }
    const auto opened = start_in(folder, files, clock, random);
    if (!opened || (*opened)->report().distrusted) {
        say("cannot start: " + describe(opened ? *(*opened)->report().distrusted : opened.error()));
        return 4;
    }
    auto& store = **opened;
    say("started");
    std::mt19937 generator(number);
    while (true) {
        const std::string device_id = "urn:" + std::to_string(generator() % 12);
        const auto key = static_cast<std::uint8_t>(1 + generator() % 255);
        const auto* pending = store.find_pending(device_id);
        const auto dice = generator() % 6;
        Result<void> done;
        if (dice < 2 && pending != nullptr) {
            say("will " + device_id + " -1");
            done = store.confirm(record_of(device_id, pending->ks_local_mt.reveal()[0], clock));
        } else if (dice == 2 && (pending != nullptr || store.find(device_id) != nullptr)) {
            say("will " + device_id + " 0");
            done = store.erase(device_id);
        } else if (dice < 5) {
            say("will " + device_id + "? " + std::to_string(key));
            done = store.put(pending_of(device_id, key, clock));
        } else {
            say("will " + device_id + " " + std::to_string(key));
            done = store.put(record_of(device_id, key, clock));
        }
        if (!done) {
            say("cannot: " + describe(done.error()));
            return 5;
        }
        say("done");
    }
}

/// Runs a writer until it has said so many lines, and a little longer. What it said until it died.
/// `meanwhile` is called while it runs.
std::string killed_after(
    std::ptrdiff_t lines, std::chrono::microseconds longer, const fs::path& folder, unsigned number,
    const std::function<void()>& meanwhile = [] {}) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    std::string program = "/proc/self/exe";
    std::string what = "--writer=" + folder.string();
    std::string which = "--seed=" + std::to_string(number);
    std::array<char*, 4> arguments{program.data(), what.data(), which.data(), nullptr};
    pid_t child = 0;
    EXPECT_EQ(::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    std::string said;
    const auto listen = [&](std::ptrdiff_t enough) {
        std::array<char, 4096> buffer{};
        ssize_t got = 1;
        while (got > 0 && std::ranges::count(said, '\n') < enough) {
            got = ::read(ends[0], buffer.data(), buffer.size());
            said.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        }
    };
    listen(lines);
    meanwhile();
    const auto moment = std::chrono::steady_clock::now() + longer;
    while (std::chrono::steady_clock::now() < moment) {
    }
    ::kill(child, SIGKILL);
    listen(std::numeric_limits<std::ptrdiff_t>::max());
    int status = 0;
    ::waitpid(child, &status, 0);
    ::close(ends[0]);
    EXPECT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << said;
    return said;
}

TEST(StoreKill, NothingAcknowledgedIsLost) {
    const fakes::ScratchDirectory scratch;
    fs::create_directory(scratch.path() / "disk");
    fs::create_directory(scratch.path() / "run");
    std::mt19937 generator(seed);
    std::printf("seed %u\n", seed);
    FileOps files;
    SystemClock clock;
    SystemRandom random;
    Keys keys;
    int acknowledged = 0;
    int cut_short = 0;
    for (int kill = 0; kill < wanted_kills; ++kill) {
        SCOPED_TRACE("kill " + std::to_string(kill));
        const auto lines = static_cast<std::ptrdiff_t>(generator() % 30); // 0: before it starts
        const auto said = killed_after(lines, std::chrono::microseconds(generator() % 3000),
                                       scratch.path(), static_cast<unsigned>(generator()));
        std::istringstream words(said);
        std::string word;
        std::optional<std::pair<std::string, int>> in_flight;
        const auto apply = [](Keys& to, const std::pair<std::string, int>& change) {
            if (change.second == 0) {
                to.erase(change.first);
                to.erase(change.first + "?");
            } else if (change.second < 0) {
                to[change.first] = to.at(change.first + "?");
                to.erase(change.first + "?");
            } else {
                to[change.first] = change.second;
            }
        };
        while (words >> word) {
            if (word == "will") {
                in_flight.emplace();
                words >> in_flight->first >> in_flight->second;
            } else if (word == "done") {
                ASSERT_TRUE(in_flight);
                apply(keys, *in_flight);
                in_flight.reset();
                ++acknowledged;
            } else {
                ASSERT_EQ(word, "started") << said;
            }
        }
        const auto store = start_in(scratch.path(), files, clock, random);
        ASSERT_TRUE(store) << describe(store.error());
        ASSERT_FALSE((*store)->report().distrusted) << describe(*(*store)->report().distrusted);
        const auto found = keys_of(**store);
        if (in_flight && found != keys) {
            apply(keys, *in_flight);
            ++cut_short;
        }
        ASSERT_EQ(found, keys);
    }
    std::printf("%d acknowledged, %d came through without\n", acknowledged, cut_short);
    EXPECT_GT(acknowledged, wanted_kills) << "it was killed before it did anything";
}

TEST(StoreKill, KilledHolderFreesTheLock) {
    const fakes::ScratchDirectory scratch;
    fs::create_directory(scratch.path() / "disk");
    fs::create_directory(scratch.path() / "run");
    FileOps files;
    SystemClock clock;
    SystemRandom random;
    killed_after(1, std::chrono::microseconds(0), scratch.path(), 1, [&] {
        const auto second = start_in(scratch.path(), files, clock, random);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, Errc::InProgress);
    });
    EXPECT_TRUE(start_in(scratch.path(), files, clock, random));
}

} // namespace

int run(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    std::string folder;
    for (const std::string_view argument :
         std::span(argv, static_cast<std::size_t>(argc)).subspan(1)) {
        const auto value = std::string(argument.substr(argument.find('=') + 1));
        if (argument.starts_with("--writer=")) {
            folder = value;
        } else if (argument.starts_with("--kills=")) {
            wanted_kills = std::stoi(value);
        } else if (argument.starts_with("--seed=")) {
            seed = static_cast<unsigned>(std::stoul(value));
        }
    }
    return folder.empty() ? RUN_ALL_TESTS() : writer(folder, seed);
}

} // namespace mtkey::store

int main(int argc, char** argv) {
    return mtkey::store::run(argc, argv);
}
