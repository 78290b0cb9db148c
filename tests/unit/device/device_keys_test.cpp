// SPDX-License-Identifier: Apache-2.0
#include "device/device_keys.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "fakes/manual_clock.hpp"
#include "unit/device/fake_mt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mtkey::device {
namespace {

using namespace std::chrono_literals;
using store::Access;
using store::KeyState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

class DeviceKeysTest : public ::testing::Test {
protected:
    DeviceKeysTest() { fs::create_directory(place.state_dir); }

    Result<DeviceKeys> try_open(Access access = Access::Change) {
        return DeviceKeys::open(
            place,
            {.files = files, .clock = clock, .random = random, .boot_id = boot_id, .key_id = {}},
            access);
    }
    DeviceKeys open(Access access = Access::Change) {
        auto keys = try_open(access);
        EXPECT_TRUE(keys) << describe(keys.error());
        return std::move(*keys);
    }
    StoredKey key(const std::string& mt_id, const std::string& b_tid = "x@bsf.example.org") const {
        StoredKey out;
        out.device_id = mt_id;
        out.naf_fqdn = "nafkc.3gppnetwork.org";
        out.naf_ua.assign(kdf::kDefaultUaId.begin(), kdf::kDefaultUaId.end());
        out.b_tid = b_tid;
        out.profile = "draft-1";
        out.mode = "gba-2g";
        out.ks_local_mt = test_key(b_tid);
        out.th_est.fill(0xA5);
        out.est_id.fill(0x5A);
        out.created = out.confirmed = out.last_used = clock.utc_now();
        out.expires = clock.utc_now() + 25h; // the network's clock is an hour ahead
        out.local_end = clock.utc_now() + 24h;
        out.deadline = clock.boot_now() + 24h;
        return out;
    }
    void establish(DeviceKeys& keys, const std::string& mt_id,
                   const std::string& b_tid = "x@bsf.example.org") {
        ASSERT_TRUE(keys.add_pending(key(mt_id, b_tid)));
        ASSERT_TRUE(keys.confirm(mt_id, clock.utc_now() + 25h));
    }
    void reboot(std::chrono::seconds off) {
        clock.jump_utc(off);
        clock.reboot();
        ++boot_id[0];
    }
    static unsigned mode_of(const std::string& path) {
        struct stat status{};
        return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
    }
    static std::string content(const std::string& path) {
        return read_file(path, 1024 * 1024, Trust::Private).value_or("");
    }
    std::string in_state(const std::string& name) const { return place.state_dir + "/" + name; }
    /// What `action` says in the log.
    template <typename Action>
    static std::string said(Action action) {
        ::testing::internal::CaptureStderr();
        action();
        return ::testing::internal::GetCapturedStderr();
    }

    TestFolder folder;
    KeyPlace place{.state_dir = folder.file("state"),
                   .runtime_dir = {},
                   .store_key_file = folder.file("store.key"),
                   .credentials_directory = {}};
    fakes::ManualClock clock{"2030-01-01T00:00:00Z"};
    FileOps files;
    SystemRandom random;
    BootId boot_id{1};
};

TEST(StoredKeyTest, FingerprintIsThatOfTheDesign) {
    // Python: hmac.new(bytes.fromhex(key), b"mtkey fingerprint", "sha256").hexdigest()[:16], key =
    // ks_local_mt of the worked example.
    StoredKey one;
    const auto octets =
        from_hex("520ff2b50c0d16c7e5bad24dd9b3de6017578db5d96466b1fe003111e30d5b95");
    one.ks_local_mt = *Secret<32>::from(*octets, "key");
    EXPECT_EQ(fingerprint_of(one), "e5f7be854c9f10dc");
}

TEST_F(DeviceKeysTest, AbsentStoreIsEmptyAndReadingCreatesNothing) {
    const auto keys = open(Access::Read);
    EXPECT_TRUE(keys.all().empty());
    EXPECT_EQ(keys.key_origin(), "none");
    EXPECT_TRUE(fs::is_empty(place.state_dir));
    EXPECT_FALSE(fs::exists(place.store_key_file));
}

TEST_F(DeviceKeysTest, FirstUseMakesTheKeyAndSaysSoOnce) {
    EXPECT_THAT(said([&] { EXPECT_EQ(open().key_origin(), "file"); }),
                HasSubstr(place.store_key_file));
    const auto made = content(place.store_key_file);
    EXPECT_EQ(made.size(), 32U);
    EXPECT_EQ(said([&] { open(); }), "");
    EXPECT_EQ(content(place.store_key_file), made);
}

TEST_F(DeviceKeysTest, ModesAndWhatAFileTells) {
    auto keys = open();
    establish(keys, "mt-one");
    EXPECT_EQ(mode_of(place.store_key_file), 0400U);
    EXPECT_EQ(mode_of(in_state("store")), 0600U);
    EXPECT_EQ(mode_of(in_state("store.lock")), 0600U);
    const auto file = content(in_state("store"));
    EXPECT_THAT(file, Not(HasSubstr("mt-one")));
    EXPECT_THAT(
        file,
        Not(HasSubstr(std::string(as_text(test_key("x@bsf.example.org").reveal().first<8>())))));
}

TEST_F(DeviceKeysTest, PendingBecomesActiveInThePlaceOfTheOldOne) {
    auto keys = open();
    auto first = key("mt", "first@bsf");
    first.state = KeyState::Confirmed;
    ASSERT_TRUE(keys.add_pending(std::move(first)));
    EXPECT_NE(keys.find_pending("mt"), nullptr) << "whatever the caller wrote";
    EXPECT_EQ(keys.find_active("mt"), nullptr);
    ASSERT_TRUE(keys.confirm("mt", clock.utc_now() + 20h));
    EXPECT_EQ(keys.all().size(), 1U);

    ASSERT_TRUE(keys.add_pending(key("mt", "second@bsf")));
    ASSERT_TRUE(keys.add_pending(key("mt", "third@bsf")));
    ASSERT_TRUE(keys.add_pending(key("other")));
    EXPECT_EQ(open(Access::Read).all().size(), 3U);
    EXPECT_EQ(keys.find_pending("mt")->b_tid, "third@bsf");
    EXPECT_EQ(keys.find_active("mt")->b_tid, "first@bsf");

    ASSERT_TRUE(keys.confirm("mt", clock.utc_now() + 20h));
    const auto again = open(Access::Read);
    EXPECT_EQ(again.all().size(), 2U);
    EXPECT_EQ(again.find_active("mt")->b_tid, "third@bsf");
    EXPECT_TRUE(again.find_active("mt")->ks_local_mt == test_key("third@bsf"));
    EXPECT_EQ(again.find_active("mt")->mode, "gba-2g");
    EXPECT_EQ(naf_id_of(*again.find_active("mt")).text(), "nafkc.3gppnetwork.org/ff00033259");
    EXPECT_EQ(again.find_pending("mt"), nullptr);
    EXPECT_EQ(keys.confirm("nobody", clock.utc_now()).error().code, Errc::NoKey);
}

/// The end is agreed in the network's time, which is an hour ahead here.
TEST_F(DeviceKeysTest, BothClocksFollowTheAgreedEnd) {
    auto keys = open();
    const auto began = clock.utc_now();
    ASSERT_TRUE(keys.add_pending(key("mt")));
    clock.advance(1h);
    ASSERT_TRUE(keys.confirm("mt", began + 20h));
    const auto* active = keys.find_active("mt");
    EXPECT_EQ(active->expires, began + 20h);
    EXPECT_EQ(active->local_end, began + 19h);
    EXPECT_EQ(active->deadline, clock.boot_now() + 18h);
    EXPECT_EQ(active->created, began);
    EXPECT_EQ(active->confirmed, began + 1h);

    ASSERT_TRUE(keys.add_pending(key("later")));
    ASSERT_TRUE(keys.confirm("later", began + 90h));
    EXPECT_EQ(keys.find_active("later")->deadline, clock.boot_now() + 24h) << "never longer";
    ASSERT_TRUE(keys.add_pending(key("past")));
    ASSERT_TRUE(keys.confirm("past", UtcTime(1s)));
    EXPECT_FALSE(keys.find_active("past")->usable(clock));
    ASSERT_TRUE(keys.remove_ended());
    EXPECT_EQ(keys.all().size(), 2U);
}

TEST_F(DeviceKeysTest, NewestFirst) {
    auto keys = open();
    for (const char* mt_id : {"b", "c", "a"}) {
        establish(keys, mt_id);
        clock.advance(1s);
    }
    ASSERT_TRUE(keys.add_pending(key("b")));
    std::vector<std::string> order;
    for (const auto* one : keys.all()) {
        order.push_back(mt_id_of(*one) + (one->pending() ? "?" : ""));
    }
    EXPECT_THAT(order, ElementsAre("b?", "a", "c", "b"));
}

TEST_F(DeviceKeysTest, RemovesAndForgets) {
    auto keys = open();
    for (const char* mt_id : {"a", "b"}) {
        establish(keys, mt_id);
        ASSERT_TRUE(keys.add_pending(key(mt_id)));
    }
    ASSERT_TRUE(keys.remove_active("a"));
    EXPECT_EQ(keys.find_active("a"), nullptr);
    EXPECT_NE(keys.find_pending("a"), nullptr);
    ASSERT_TRUE(keys.remove_pending("a"));
    EXPECT_EQ(keys.find_pending("a"), nullptr);
    EXPECT_EQ(*keys.forget("a"), 0U);
    EXPECT_EQ(*keys.forget("b"), 2U);
    establish(keys, "c");
    establish(keys, "d");
    EXPECT_EQ(*keys.forget(""), 2U);
    EXPECT_TRUE(open(Access::Read).all().empty());
}

TEST_F(DeviceKeysTest, ThirtyTwoMtsEachWithARenewal) {
    auto keys = open();
    for (std::size_t i = 0; i < kMostMts; ++i) {
        establish(keys, "mt" + std::to_string(i));
    }
    EXPECT_EQ(keys.add_pending(key("more")).error().code, Errc::LimitExceeded);
    for (std::size_t i = 0; i < kMostMts; ++i) {
        ASSERT_TRUE(keys.add_pending(key("mt" + std::to_string(i)))) << "a renewal needs no room";
    }
    EXPECT_EQ(keys.add_pending(key("more")).error().code, Errc::LimitExceeded);
    EXPECT_EQ(keys.all().size(), 2 * kMostMts);
    EXPECT_EQ(*keys.forget("mt7"), 2U);
    EXPECT_TRUE(keys.add_pending(key("more")));
}

TEST_F(DeviceKeysTest, OneWriterAtATime) {
    {
        const auto first = open();
        const auto second = try_open();
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, Errc::InProgress);
        EXPECT_THAT(second.error().context, HasSubstr(in_state("store.lock")));
        EXPECT_TRUE(try_open(Access::Read));
    }
    EXPECT_TRUE(try_open());
}

TEST_F(DeviceKeysTest, FailedWriteChangesNothing) {
    auto keys = open();
    ASSERT_TRUE(keys.add_pending(key("mt")));
    // A folder in the place of the temporary file: works against root as well.
    fs::create_directory(in_state("store.tmp"));
    EXPECT_EQ(keys.confirm("mt", clock.utc_now() + 1h).error().code, Errc::StoreFailed);
    EXPECT_NE(keys.find_pending("mt"), nullptr);
    EXPECT_EQ(keys.find_active("mt"), nullptr);
    EXPECT_NE(open(Access::Read).find_pending("mt"), nullptr);
}

// ---- where the key is

TEST_F(DeviceKeysTest, StoreWhoseKeyIsMissingIsAnErrorAndStays) {
    {
        auto keys = open();
        establish(keys, "mt");
    }
    const auto file = content(in_state("store"));
    fs::rename(place.store_key_file, folder.file("elsewhere"));
    for (const auto access : {Access::Read, Access::Change}) {
        const auto keys = try_open(access);
        ASSERT_FALSE(keys);
        EXPECT_EQ(keys.error().code, Errc::ConfigInvalid);
        EXPECT_THAT(keys.error().context, HasSubstr(in_state("store")));
        EXPECT_THAT(keys.error().context, HasSubstr(place.store_key_file));
        EXPECT_THAT(keys.error().context, HasSubstr("mtkey-device.store-key"));
    }
    EXPECT_FALSE(fs::exists(place.store_key_file)) << "no other takes its place";
    EXPECT_EQ(content(in_state("store")), file);
    fs::rename(folder.file("elsewhere"), place.store_key_file);
    EXPECT_NE(open().find_active("mt"), nullptr);
}

TEST_F(DeviceKeysTest, CredentialComesBeforeTheFile) {
    place.credentials_directory = folder.file("credentials");
    fs::create_directory(place.credentials_directory);
    const auto credential = place.credentials_directory + "/mtkey-device.store-key";
    ASSERT_TRUE(write_private_file(credential, Bytes(32, 7)));
    {
        auto keys = open();
        EXPECT_EQ(keys.key_origin(), "credential");
        establish(keys, "mt");
    }
    EXPECT_FALSE(fs::exists(place.store_key_file));
    place.store_key_file.clear();
    EXPECT_NE(open(Access::Read).find_active("mt"), nullptr) << "it needs no file";
    fs::remove(credential);
    EXPECT_EQ(try_open().error().code, Errc::ConfigInvalid);
    fs::remove_all(place.state_dir);
    fs::create_directory(place.state_dir);
    const auto without = try_open();
    ASSERT_FALSE(without);
    EXPECT_EQ(without.error().code, Errc::ConfigInvalid);
    EXPECT_THAT(without.error().context, HasSubstr("store_key_file"));
    EXPECT_TRUE(fs::is_empty(place.state_dir));
}

TEST_F(DeviceKeysTest, StoreThatIsNotBelievedIsSetAsideAndSaidOnce) {
    {
        auto keys = open();
        establish(keys, "mt");
    }
    ASSERT_TRUE(write_private_file(in_state("store"), as_octets("garbage")));
    EXPECT_EQ(said([&] { EXPECT_TRUE(open(Access::Read).report().distrusted); }), "");
    EXPECT_EQ(content(in_state("store")), "garbage") << "a reader leaves it";
    EXPECT_THAT(said([&] {
                    auto keys = open();
                    EXPECT_TRUE(keys.all().empty());
                    establish(keys, "mt");
                }),
                HasSubstr("store.bad-1"));
    EXPECT_EQ(content(in_state("store.bad-1")), "garbage");
    EXPECT_EQ(said([&] { EXPECT_NE(open().find_active("mt"), nullptr); }), "");
    EXPECT_EQ(open(Access::Read).report().kept_as, "store.bad-1");
}

TEST_F(DeviceKeysTest, StoreOfTheDaemonIsNotOurs) {
    {
        open();
    }
    auto keks = store::load_keks(
        {.credentials_directory = {}, .credential = {}, .key_file = place.store_key_file});
    store::Snapshot snapshot;
    snapshot.records.push_back(key("mt"));
    const auto file = store::seal(snapshot, *keks->current, "mtkeyd", random);
    ASSERT_TRUE(write_private_file(in_state("store"), *file));
    EXPECT_TRUE(open(Access::Read).report().distrusted);
}

TEST_F(DeviceKeysTest, OldCopyIsNoticedWithAFolderForThat) {
    place.runtime_dir = folder.file("run");
    fs::create_directory(place.runtime_dir);
    auto keys = std::make_unique<DeviceKeys>(open());
    establish(*keys, "mt");
    const auto old = content(in_state("store"));
    ASSERT_TRUE(keys->remove_active("mt"));
    keys.reset();
    ASSERT_TRUE(write_private_file(in_state("store"), as_octets(old)));
    EXPECT_TRUE(open(Access::Read).report().distrusted);
    EXPECT_TRUE(open().all().empty());
}

// ---- how long a key lasts

TEST_F(DeviceKeysTest, UtcThatWasSetForwardUsesNothingAndDeletesNothing) {
    auto keys = open();
    establish(keys, "mt");
    clock.jump_utc(240h);
    ASSERT_TRUE(keys.remove_ended());
    ASSERT_NE(keys.find_active("mt"), nullptr);
    EXPECT_FALSE(keys.find_active("mt")->usable(clock));
    clock.jump_utc(-240h);
    EXPECT_TRUE(keys.find_active("mt")->usable(clock)) << "it was set right again";
    clock.jump_utc(-240h);
    clock.advance(24h);
    EXPECT_FALSE(keys.find_active("mt")->usable(clock)) << "set back, it lasts no longer";
    ASSERT_TRUE(keys.remove_ended());
    EXPECT_EQ(keys.find_active("mt"), nullptr);
}

TEST_F(DeviceKeysTest, AfterARebootUtcSaysWhatIsLeft) {
    {
        auto keys = open();
        establish(keys, "mt");
    }
    reboot(20h);
    {
        auto keys = open();
        EXPECT_TRUE(keys.find_active("mt")->usable(clock));
        clock.advance(4h);
        EXPECT_FALSE(keys.find_active("mt")->usable(clock));
        ASSERT_TRUE(keys.remove_ended());
        EXPECT_TRUE(keys.all().empty());
    }
}

TEST_F(DeviceKeysTest, ClockThatWasSetBackKeepsAndDoesNotUse) {
    {
        auto keys = open();
        establish(keys, "old");
        clock.advance(10h);
        keys.note_time();
    }
    reboot(-5h);
    auto keys = open();
    EXPECT_TRUE(keys.report().time_unknown);
    ASSERT_TRUE(keys.remove_ended());
    ASSERT_NE(keys.find_active("old"), nullptr);
    EXPECT_FALSE(keys.find_active("old")->usable(clock));
    establish(keys, "new");
    EXPECT_TRUE(keys.find_active("new")->usable(clock)) << "what is established meanwhile";
    clock.advance(14h);
    ASSERT_TRUE(keys.remove_ended());
    EXPECT_EQ(keys.find_active("old"), nullptr) << "and it ends when it would have";
}

/// A device without a battery for its clock, which asks before the network has told it the time.
TEST_F(DeviceKeysTest, ClockThatIsSetRightAfterTheFirstRunIsEnough) {
    {
        auto keys = open();
        establish(keys, "mt");
    }
    reboot(-300h);
    {
        auto keys = open();
        EXPECT_FALSE(keys.find_active("mt")->usable(clock));
        keys.note_time();
    }
    clock.jump_utc(301h);
    EXPECT_TRUE(open().find_active("mt")->usable(clock));
}

TEST_F(DeviceKeysTest, NothingIsNotedWhereThereIsNoKey) {
    auto keys = open();
    keys.note_time();
    EXPECT_FALSE(fs::exists(in_state("store")));
}

} // namespace
} // namespace mtkey::device
