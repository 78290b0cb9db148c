// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/file.hpp"
#include "unit/device/fake_mt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mutex>
#include <sys/stat.h>

namespace mtkey::device {

/// One device with its key file, one MT, one Key Center.
class ProcedureTest : public ::testing::Test {
protected:
    ProcedureTest() {
        settings.device_id = "urn:uuid:1";
        settings.allowed_suffixes = {"3gppnetwork.org"};
    }

    Result<Outcome> run() {
        steps.clear();
        auto keys = KeyFile::open(key_file(), KeyFile::Access::Change);
        if (!keys) {
            return std::unexpected(keys.error());
        }
        Surroundings out{
            [this](const Limits&) { return mt.connect(reliable); },
            key_center.opener(),
            *keys,
            random,
            Limits{clock, clock.boot_now() + total_limit, cancel_fd},
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

    std::string key_file() const { return folder.file("keys.json"); }
    std::vector<StoredKey> stored() const {
        auto file = KeyFile::open(key_file(), KeyFile::Access::Read);
        EXPECT_TRUE(file) << describe(file.error());
        std::vector<StoredKey> out;
        for (const auto& key : file->keys()) {
            out.push_back(key.clone());
        }
        return out;
    }
    void expect_private_file() const {
        struct stat status{};
        ASSERT_EQ(::stat(key_file().c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777U, 0600U);
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
    FakeMt mt;
    FakeKeyCenter key_center;
    ProcedureSettings settings;
    SystemClock clock;
    SystemRandom random;
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
