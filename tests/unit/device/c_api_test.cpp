// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.hpp"
#include "device/mtkey_device.h"
#include "unit/device/procedure_fixture.hpp"

#include <cstdlib>
#include <openssl/crypto.h>
#include <sys/eventfd.h>

namespace mtkey::device {
namespace {

/// The firmware's side; the key was established before, so that no Key Center is needed.
class CApiTest : public ProcedureTest {
protected:
    void SetUp() override {
        config_.size = sizeof config_;
        config_.device_id = "urn:uuid:1";
        config_.state_dir = place.state_dir.c_str();
        config_.store_key_file = place.store_key_file.c_str();
        config_.allowed_suffixes = suffixes_;
        callbacks_.size = sizeof callbacks_;
        callbacks_.context = this;
        callbacks_.open_link = [](void* context, int* reliable_out) {
            auto connection = static_cast<CApiTest*>(context)->mt.connect();
            *reliable_out = 1;
            return connection->fd.release();
        };
        callbacks_.key_center_address = [](void*, const char* fqdn) {
            return std::string_view(fqdn).ends_with("3gppnetwork.org") ? "127.0.0.1:1" : nullptr;
        };
        callbacks_.progress = [](void* context, const char* step, const char*) {
            static_cast<CApiTest*>(context)->progress_.emplace_back(step);
        };
        result_.size = sizeof result_;
    }
    int establish() {
        progress_.clear();
        const int status = mtkey_device_establish(&config_, &callbacks_, &result_);
        mt.stop();
        return status;
    }

    const char* suffixes_[2] = {"3gppnetwork.org", nullptr};
    mtkey_device_config config_{};
    mtkey_device_callbacks callbacks_{};
    mtkey_device_result result_{};
    std::vector<std::string> progress_;
};

TEST_F(CApiTest, ResumesAndDerivesApplicationKeys) {
    establish_first();
    ASSERT_EQ(establish(), 0) << result_.message;
    EXPECT_STREQ(result_.procedure, "resume");
    EXPECT_STREQ(result_.mt_id, "mt-one");
    EXPECT_EQ(result_.fingerprint, fingerprint_of(stored().at(0)));
    EXPECT_EQ(result_.lifetime, format_utc(stored().at(0).expires));
    EXPECT_STREQ(result_.error, "");
    EXPECT_THAT(progress_, ::testing::ElementsAre("stored-key-tried", "stored-key-accepted"));

    std::array<std::uint8_t, 32> key{};
    ASSERT_EQ(mtkey_device_application_key(&config_, "mt-one", "chat", "app", key.data()), 0);
    const auto& held = mt.held.at(0);
    const auto expected = kdf::application_key(
        kdf::establishment_keys(held.ks_local_mt, held.th_est).application, "chat", "app");
    EXPECT_TRUE(equal_constant_time(key, expected.reveal())) << "the MT derives the same";
    const auto before = key;
    EXPECT_EQ(mtkey_device_application_key(&config_, "mt-two", "chat", "app", key.data()), 5);
    EXPECT_EQ(key, before) << "outputs only on success";
}

TEST_F(CApiTest, OneEstablishmentAtATimeAndKeysMeanwhile) {
    establish_first();
    const auto held = open_keys(store::Access::Change);
    ASSERT_TRUE(held);
    EXPECT_NE(establish(), 0);
    EXPECT_STREQ(result_.error, "InProgress");
    std::array<std::uint8_t, 32> key{};
    EXPECT_EQ(mtkey_device_application_key(&config_, "mt-one", "chat", "app", key.data()), 0);
}

TEST_F(CApiTest, NoApplicationKeyWhereTheClockForbidsIt) {
    establish_first();
    auto keys = stored();
    keys[0].local_end = clock.utc_now();
    put(std::move(keys));
    std::array<std::uint8_t, 32> key{};
    EXPECT_EQ(mtkey_device_application_key(&config_, "mt-one", "chat", "app", key.data()),
              info(Errc::KeyExpired).exit_status);
    EXPECT_EQ(key, (std::array<std::uint8_t, 32>{}));
}

// OpenSSL falls back to the plain heap without a word. Each in a process of its own: once per
// process is enough.
TEST_F(CApiTest, KeysAreInTheSecureHeapWhoeverForgotInit) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto secure_after = [](auto call) {
        call();
        std::_Exit(CRYPTO_secure_malloc_initialized());
    };
    EXPECT_EXIT(secure_after([this] {
                    std::array<std::uint8_t, 32> key{};
                    mtkey_device_application_key(&config_, "mt", "chat", "app", key.data());
                }),
                ::testing::ExitedWithCode(1), "");
    callbacks_.open_link = [](void*, int*) { return -1; };
    EXPECT_EXIT(secure_after([this] { mtkey_device_establish(&config_, &callbacks_, &result_); }),
                ::testing::ExitedWithCode(1), "");
}

TEST_F(CApiTest, WorksInAHostProgramWithASecureHeapOfItsOwn) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto in_host = [this] {
        if (CRYPTO_secure_malloc_init(64 * 1024, 16) != 1 || mtkey_device_init() != 0) {
            return 1;
        }
        establish_first();
        std::array<std::uint8_t, 32> key{};
        return establish() == 0 && mtkey_device_application_key(&config_, "mt-one", "chat", "app",
                                                                key.data()) == 0
                   ? 0
                   : 2;
    };
    EXPECT_EXIT(std::_Exit(in_host()), ::testing::ExitedWithCode(0), "");
}

// What a callback of C++ throws, or a library of ours: nothing gets through C.
TEST_F(CApiTest, ExceptionsOfEveryKindAreErrors) {
    callbacks_.open_link = [](void*, int*) -> int { throw 1; };
    EXPECT_EQ(establish(), info(Errc::Internal).exit_status);
    EXPECT_STREQ(result_.error, "Internal");
    callbacks_.open_link = [](void*, int*) -> int { throw std::bad_alloc(); };
    EXPECT_EQ(establish(), info(Errc::Internal).exit_status);
    EXPECT_STREQ(result_.error, "Internal");
    EXPECT_THAT(result_.message, ::testing::StartsWith("no memory"));
}

TEST_F(CApiTest, FailuresHaveANameAndTheProgramsStatus) {
    EXPECT_EQ(establish(), 7);
    EXPECT_STREQ(result_.error, "KeyCenterUnreachable");
    EXPECT_STRNE(result_.message, "");
    EXPECT_TRUE(stored().empty());

    local::ErrorMessage pending;
    pending.code = local::ErrorCode::Pending;
    pending.retry_after = 9;
    pending.text = "not yet";
    mt.refuse_l1 = pending;
    EXPECT_EQ(establish(), 10);
    EXPECT_STREQ(result_.error, "DeviceNotApproved");
    EXPECT_EQ(result_.retry_after, 9U);
    EXPECT_STREQ(result_.message, "the MT says: not yet (again after 9 s)");

    const UniqueFd cancel(::eventfd(1, EFD_CLOEXEC));
    callbacks_.cancel_fd = cancel.get();
    EXPECT_EQ(establish(), 9);
}

TEST_F(CApiTest, RefusesWrongArguments) {
    EXPECT_EQ(mtkey_device_establish(nullptr, &callbacks_, &result_), 2);
    EXPECT_EQ(mtkey_device_establish(&config_, nullptr, &result_), 2);
    EXPECT_EQ(mtkey_device_establish(&config_, &callbacks_, nullptr), 2);
    result_.size = 4;
    EXPECT_EQ(establish(), 2);
    result_.size = sizeof result_;
    const auto refused = [this](auto change) {
        const auto config = config_;
        const auto callbacks = callbacks_;
        change();
        EXPECT_NE(establish(), 0);
        config_ = config;
        callbacks_ = callbacks;
    };
    refused([this] { config_.size = 8; });
    refused([this] { config_.device_id = nullptr; });
    refused([this] { config_.device_id = "With Space"; });
    refused([this] { config_.state_dir = nullptr; });
    refused([this] { config_.store_key_file = nullptr; });
    refused([this] { config_.allowed_suffixes = nullptr; });
    refused([this] { config_.kdf_profile = "rel-7"; });
    refused([this] { callbacks_.size = 8; });
    refused([this] { callbacks_.open_link = nullptr; });
    EXPECT_EQ(mt.connections, 0);
    refused([this] { callbacks_.open_link = [](void*, int*) { return -1; }; });
}

} // namespace
} // namespace mtkey::device
