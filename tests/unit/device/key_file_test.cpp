// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.hpp"
#include "base/file.hpp"
#include "unit/device/fake_mt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mtkey::device {
namespace {

using ::testing::HasSubstr;
using State = StoredKey::State;

StoredKey key(const std::string& mt_id, State state,
              const std::string& b_tid = "x@bsf.example.org") {
    StoredKey out;
    out.mt_id = mt_id;
    out.naf_id.fqdn = "nafkc.3gppnetwork.org";
    out.b_tid = b_tid;
    out.device_id = "urn:uuid:1";
    out.profile = "draft-1";
    out.mode = "gba-me";
    out.ks_local_mt = test_key(b_tid);
    out.th_est.fill(0xA5);
    out.est_id.fill(0x5A);
    out.stored = *parse_utc("2029-12-31T12:00:00Z");
    out.expires = *parse_utc("2030-01-01T12:00:00Z");
    out.state = state;
    return out;
}

std::string text_of(const std::vector<StoredKey>& keys) {
    const Bytes text = encode_key_file(keys);
    return std::string(as_text(text));
}

std::vector<StoredKey> list(StoredKey one) {
    std::vector<StoredKey> out;
    out.push_back(std::move(one));
    return out;
}

TEST(KeyFileText, ComesBackAsItWas) {
    auto keys = list(key("mt\"one\\", State::Active, "a+/=\"@bsf.example.org"));
    keys.push_back(key("mt\"one\\", State::Pending));
    keys.push_back(key("mt-two", State::Active));
    const auto again = parse_key_file(encode_key_file(keys), "file");
    ASSERT_TRUE(again) << describe(again.error());
    ASSERT_EQ(again->size(), 3U);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto& a = keys[i];
        const auto& b = (*again)[i];
        EXPECT_EQ(a.mt_id, b.mt_id);
        EXPECT_EQ(a.naf_id, b.naf_id);
        EXPECT_EQ(a.b_tid, b.b_tid);
        EXPECT_EQ(a.device_id, b.device_id);
        EXPECT_EQ(a.profile, b.profile);
        EXPECT_EQ(a.mode, b.mode);
        EXPECT_TRUE(a.ks_local_mt == b.ks_local_mt);
        EXPECT_EQ(a.th_est, b.th_est);
        EXPECT_EQ(a.est_id, b.est_id);
        EXPECT_EQ(a.stored, b.stored);
        EXPECT_EQ(a.expires, b.expires);
        EXPECT_EQ(a.state, b.state);
    }
    EXPECT_TRUE(parse_key_file(encode_key_file({}), "file")->empty());
}

TEST(KeyFileText, FingerprintIsThatOfTheDesign) {
    // Python: hmac.new(bytes.fromhex(key), b"mtkey fingerprint", "sha256").hexdigest()[:16], key =
    // ks_local_mt of the worked example.
    StoredKey one = key("mt", State::Active);
    const auto octets =
        from_hex("520ff2b50c0d16c7e5bad24dd9b3de6017578db5d96466b1fe003111e30d5b95");
    one.ks_local_mt = *Secret<32>::from(*octets, "key");
    EXPECT_EQ(one.fingerprint(), "e5f7be854c9f10dc");
}

TEST(KeyFileText, CorruptedFilesAreNamedErrors) {
    const std::string good = text_of(list(key("mt", State::Active)));
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string changed = good;
        const auto place = changed.find(from);
        EXPECT_NE(place, std::string::npos) << from;
        return changed.replace(place, from.size(), to);
    };
    std::string many = "{\"version\":\"1\",\"keys\":[";
    for (std::size_t i = 0; i <= kMostKeys; ++i) {
        many += i == 0 ? "{}" : ",{}";
    }
    auto twice = list(key("mt", State::Active));
    twice.push_back(key("mt", State::Active));
    const std::vector<std::pair<std::string, std::string>> rows{
        {"", "JSON"},
        {"x", "JSON"},
        {"{", "JSON"},
        {good.substr(0, good.size() / 2), "JSON"},
        {good + "x", "JSON"},
        {std::string("\0\0\0\0", 4), "JSON"},
        {"\xFF\xFE", "JSON"},
        {std::string(2000, '['), "JSON"},
        {"[]", "no JSON object"},
        {"null", "no JSON object"},
        {"{}", "version"},
        {"{\"version\":1,\"keys\":[]}", "version"},
        {"{\"version\":\"2\",\"keys\":[]}", "version"},
        {"{\"version\":\"1\"}", "keys"},
        {"{\"version\":\"1\",\"keys\":{}}", "keys"},
        {"{\"version\":\"1\",\"keys\":[],\"more\":1}", "only"},
        {"{\"version\":\"1\",\"version\":\"1\",\"keys\":[]}", "JSON"},
        {"{\"version\":\"1\",\"keys\":[1]}", "keys[0] is no object"},
        {"{\"version\":\"1\",\"keys\":[{}]}", "'mt_id' is missing"},
        {many + "]}", "more than"},
        {with("\"mt_id\": \"mt\"", "\"mt_id\": \"\""), "'mt_id'"},
        {with("\"mt_id\": \"mt\"", "\"mt_id\": \"m t\""), "'mt_id'"},
        {with("\"mt_id\": \"mt\"", "\"mt_id\": 3"), "'mt_id'"},
        {with("\"mt_id\": \"mt\"", "\"mt_id\": \"a\\u0000b\""), "'mt_id'"},
        {with("\"mt_id\": \"mt\"", "\"mt_id\": \"" + std::string(256, 'a') + "\""), "'mt_id'"},
        {with("\"mt_id\": \"mt\"", "\"mt_id\": \"mt\", \"mt_id\": \"mt\""), "JSON"},
        {with("\"mt_id\": \"mt\"", "\"mt_id\": \"mt\", \"more\": \"mt\""), "do not belong"},
        {with("nafkc.3gpp", "NAFKC..3gpp"), "'naf_fqdn'"},
        {with("ff00033259", "ff000332"), "'naf_ua'"},
        {with("ff00033259", "0000000001"), "'naf_ua'"},
        {with("urn:uuid:1", "URN:UUID:1"), "'device_id'"},
        {with("a5a5", "a5"), "'th_est'"},
        {with("a5a5", "a5g5"), "'th_est'"},
        {with("\"est_id\": \"", "\"est_id\": \"00"), "'est_id'"},
        {with("\"ks_local_mt\": \"", "\"ks_local_mt\": \"00"), "'ks_local_mt'"},
        {with("\"ks_local_mt\": \"", "\"ks_local_mt\": \"\", \"x\": \""), "'ks_local_mt'"},
        {with("2029-12-31T12", "2029-12-32T12"), "'stored'"},
        {with("2030-01-01T12", "2030-13-01T12"), "'expires'"},
        {with("\"active\"", "\"confirmed\""), "'state'"},
        {text_of(twice), "second key"},
        {std::string(kKeyFileLimit + 1, ' '), "too large"},
    };
    for (const auto& [text, what] : rows) {
        const auto keys = parse_key_file(as_octets(text), "key file /x");
        ASSERT_FALSE(keys) << text.substr(0, 200);
        EXPECT_THAT(keys.error().context, HasSubstr("key file /x"));
        EXPECT_THAT(keys.error().context, HasSubstr(what)) << text.substr(0, 200);
        EXPECT_EQ(keys.error().context.find(to_hex(test_key("x@bsf.example.org").reveal())),
                  std::string::npos);
    }
}

TEST(KeyFileText, EveryTruncationAndEveryChangedOctetIsReadOrRefused) {
    const std::string good = text_of(list(key("mt", State::Active)));
    for (std::size_t i = 0; i + 2 < good.size(); ++i) {
        EXPECT_FALSE(parse_key_file(as_octets(good.substr(0, i)), "file")) << i;
        for (const char bit : {'\x01', '\x20', '\x7F'}) {
            std::string changed = good;
            changed[i] = static_cast<char>(changed[i] ^ bit);
            static_cast<void>(parse_key_file(as_octets(changed), "file")); // must not crash
        }
    }
}

class KeyFileTest : public ::testing::Test {
protected:
    KeyFile open(KeyFile::Access access = KeyFile::Access::Change) const {
        auto file = KeyFile::open(path(), access);
        EXPECT_TRUE(file) << describe(file.error());
        return std::move(*file);
    }
    std::string path() const { return folder_.file("keys.json"); }
    TestFolder folder_;
};

TEST_F(KeyFileTest, AbsentFileIsEmptyAndReadingCreatesNothing) {
    EXPECT_TRUE(open(KeyFile::Access::Read).keys().empty());
    EXPECT_NE(::access(path().c_str(), F_OK), 0);
    EXPECT_NE(::access((path() + ".lock").c_str(), F_OK), 0);
}

TEST_F(KeyFileTest, PendingBecomesActiveInThePlaceOfTheOldOne) {
    auto file = open();
    ASSERT_TRUE(file.add_pending(key("mt", State::Active, "first@bsf")));
    EXPECT_NE(file.find("mt", State::Pending), nullptr) << "whatever the caller wrote";
    const UtcTime agreed = *parse_utc("2029-01-01T00:00:00Z");
    ASSERT_TRUE(file.confirm("mt", agreed));
    EXPECT_EQ(file.keys().size(), 1U);
    EXPECT_EQ(file.find("mt", State::Active)->expires, agreed);

    ASSERT_TRUE(file.add_pending(key("mt", State::Pending, "second@bsf")));
    ASSERT_TRUE(file.add_pending(key("mt", State::Pending, "third@bsf")));
    ASSERT_TRUE(file.add_pending(key("other", State::Pending)));
    EXPECT_EQ(open(KeyFile::Access::Read).keys().size(), 3U);
    EXPECT_EQ(file.find("mt", State::Pending)->b_tid, "third@bsf");
    EXPECT_EQ(file.find("mt", State::Active)->b_tid, "first@bsf");

    ASSERT_TRUE(file.confirm("mt", agreed));
    const auto again = open(KeyFile::Access::Read);
    EXPECT_EQ(again.keys().size(), 2U);
    EXPECT_EQ(again.find("mt", State::Active)->b_tid, "third@bsf");
    EXPECT_EQ(again.find("mt", State::Pending), nullptr);
    EXPECT_EQ(file.confirm("nobody", agreed).error().code, Errc::NoKey);
}

TEST_F(KeyFileTest, ModeIs0600AtEveryMoment) {
    auto file = open();
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(file.add_pending(key("mt" + std::to_string(i), State::Pending)));
        struct stat status{};
        ASSERT_EQ(::stat(path().c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777U, 0600U);
        ASSERT_EQ(::stat((path() + ".lock").c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777U, 0600U);
    }
    EXPECT_NE(::access((path() + ".tmp").c_str(), F_OK), 0);
}

TEST_F(KeyFileTest, FilesThatOthersCanReadAreRefused) {
    {
        auto file = open();
        ASSERT_TRUE(file.add_pending(key("mt", State::Pending)));
    }
    for (const mode_t mode : {0640U, 0604U, 0620U, 0602U}) {
        ASSERT_EQ(::chmod(path().c_str(), mode), 0);
        EXPECT_EQ(KeyFile::open(path(), KeyFile::Access::Read).error().code, Errc::NotAuthorized);
    }
    ASSERT_EQ(::chmod(path().c_str(), 0600), 0);
    ASSERT_EQ(::symlink(path().c_str(), folder_.file("link").c_str()), 0);
    EXPECT_FALSE(KeyFile::open(folder_.file("link"), KeyFile::Access::Read));
}

TEST_F(KeyFileTest, OneWriterAtATime) {
    const auto first = open();
    EXPECT_EQ(KeyFile::open(path(), KeyFile::Access::Change).error().code, Errc::InProgress);
    EXPECT_TRUE(KeyFile::open(path(), KeyFile::Access::Read));
}

TEST_F(KeyFileTest, FailedWriteChangesNothing) {
    auto file = open();
    ASSERT_TRUE(file.add_pending(key("mt", State::Pending)));
    // A folder in the place of the temporary file: works against root as well.
    ASSERT_EQ(::mkdir((path() + ".tmp").c_str(), 0700), 0);
    EXPECT_EQ(file.confirm("mt", *parse_utc("2029-01-01T00:00:00Z")).error().code,
              Errc::StoreFailed);
    EXPECT_NE(file.find("mt", State::Pending), nullptr);
    EXPECT_EQ(file.find("mt", State::Active), nullptr);
    EXPECT_NE(open(KeyFile::Access::Read).find("mt", State::Pending), nullptr);
}

TEST_F(KeyFileTest, ForgetsExpiresAndFills) {
    auto file = open();
    for (std::size_t i = 0; i < kMostKeys; ++i) {
        auto one = key("mt" + std::to_string(i), State::Pending);
        one.expires = UtcTime(std::chrono::seconds(1000 + i));
        ASSERT_TRUE(file.add_pending(std::move(one)));
    }
    EXPECT_EQ(file.add_pending(key("more", State::Pending)).error().code, Errc::LimitExceeded);
    EXPECT_TRUE(file.add_pending(key("mt0", State::Pending))) << "replaces its own";
    ASSERT_TRUE(file.remove_expired(UtcTime(std::chrono::seconds(1001))));
    EXPECT_EQ(file.keys().size(), kMostKeys - 1) << "the end itself is too late";
    EXPECT_EQ(*file.forget("mt5"), 1U);
    EXPECT_EQ(*file.forget("mt5"), 0U);
    EXPECT_EQ(*file.forget(""), kMostKeys - 2);
    EXPECT_TRUE(open(KeyFile::Access::Read).keys().empty());
}

} // namespace
} // namespace mtkey::device
