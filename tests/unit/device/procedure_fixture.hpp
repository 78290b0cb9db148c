// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/file.hpp"
#include "unit/device/fake_mt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mutex>
#include <sys/stat.h>

namespace mtkey::device {

/// One device with its store, one MT, one Key Center.
class ProcedureTest : public ::testing::Test {
protected:
    ProcedureTest() {
        settings.device_id = "urn:uuid:1";
        settings.allowed_suffixes = {"3gppnetwork.org"};
    }

    Result<Outcome> run() {
        steps.clear();
        auto keys = MTKEY_TRY(open_keys(store::Access::Change));
        Surroundings out{
            [this](const Limits&) { return mt.connect(reliable); },
            key_center.opener(),
            keys,
            random,
            Limits{*limits_clock, clock.boot_now() + total_limit, cancel_fd},
            [this](Step step, std::string_view detail) {
                const std::lock_guard lock(mutex_);
                steps.push_back(step);
                details[step] = detail;
                if (on_step) {
                    on_step(step);
                }
            },
        };
        DeviceProcedure procedure(settings, std::move(out));
        auto outcome = procedure.run();
        report = procedure.report();
        mt.stop();
        return outcome;
    }

    Result<DeviceKeys> open_keys(store::Access access) {
        return DeviceKeys::open(place, store_parts(), access);
    }
    store::StoreParts store_parts() {
        return {.files = files, .clock = clock, .random = random, .boot_id = boot_id, .key_id = {}};
    }
    std::string store_file() const { return place.state_dir + "/store"; }
    std::string store_content() const {
        return read_file(store_file(), 1024 * 1024, Trust::Private).value_or("");
    }
    std::vector<StoredKey> stored() {
        const auto keys = open_keys(store::Access::Read);
        EXPECT_TRUE(keys) << describe(keys.error());
        std::vector<StoredKey> out;
        for (const auto* key : keys->all()) {
            out.push_back(key->clone());
        }
        return out;
    }
    /// Writes keys past DeviceKeys, as another run would have left them.
    void put(std::vector<StoredKey> keys) {
        const auto opened = store::SealedKeyStore::open(
            {.directory = place.state_dir,
             .runtime_directory = {},
             .store_id = "mtkey-device",
             .layouts = store::kLayouts,
             .access = store::Access::Change},
            {.files = files,
             .clock = clock,
             .random = random,
             .boot_id = boot_id,
             .key_id = [](const auto&, const auto&) { return Secret<32>(); }},
            store::load_keks(
                {.credentials_directory = {}, .credential = {}, .key_file = place.store_key_file})
                .value());
        ASSERT_TRUE(opened) << describe(opened.error());
        for (auto& key : keys) {
            ASSERT_TRUE((*opened)->put(std::move(key)));
        }
    }
    void expect_private_files() const {
        struct stat status{};
        ASSERT_EQ(::stat(store_file().c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777U, 0600U);
        ASSERT_EQ(::stat(place.store_key_file.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777U, 0400U);
    }
    /// A first key, so that what follows has one to lose.
    void establish_first() {
        ASSERT_TRUE(run());
        ASSERT_EQ(stored().size(), 1U);
        mt.l1 = 0;
        mt.l3.clear();
        mt.confirms.clear();
        key_center.requests.clear();
        key_center.targets.clear();
    }

    TestFolder folder;
    KeyPlace place{.state_dir = folder.file("."),
                   .runtime_dir = {},
                   .store_key_file = folder.file("store.key"),
                   .credentials_directory = {}};
    FileOps files;
    BootId boot_id = system_boot_id().value();
    FakeMt mt;
    FakeKeyCenter key_center;
    ProcedureSettings settings;
    SystemClock clock;
    SystemRandom random;
    const Clock* limits_clock = &clock;
    std::chrono::milliseconds total_limit{20'000};
    int cancel_fd = -1;
    bool reliable = true;
    std::vector<Step> steps;
    std::map<Step, std::string> details;
    std::function<void(Step)> on_step;
    RunReport report;

private:
    std::mutex mutex_;
};

} // namespace mtkey::device
