// SPDX-License-Identifier: Apache-2.0
#include "aka/subscriber_file.hpp"

#include "aka/aka.hpp"
#include "base/file.hpp"
#include "base/secret.hpp"
#include "base/unique_fd.hpp"
#include "vectors/vector_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

namespace mtkey::aka {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kGood = R"(# test subscribers
[[subscriber]]
imsi = "001010123456789"
mnc_length = 2
k = "465b5ce8b199b49faa5f0a2ee238a6bc"
opc = "cd63cb71954a9f4e48a5994e37a02baf"
amf = "b9b9"
sqn = "ff9bb4d0b607"
lifetime_seconds = 3600

[[subscriber]]
imsi = "310150123456789"
mnc_length = 3
k = "465B5CE8B199B49FAA5F0A2EE238A6BC"
op = "cdc202d5123e20f62b6d676ac72cb318"
mode = "gba-me"

[[subscriber]]
imsi = "001010000000001"
mnc_length = 2
algorithm = "xor"
k = "000102030405060708090a0b0c0d0e0f"
mode = "gba-2g"
)";

TEST(SubscriberFile, Reads) {
    const auto list = parse_subscribers(kGood, "s.toml");
    ASSERT_TRUE(list) << list.error().context;
    ASSERT_EQ(list->size(), 3u);
    const Subscriber& first = list->at(0);
    EXPECT_EQ(first.imsi, "001010123456789");
    EXPECT_EQ(first.mnc_length, 2u);
    EXPECT_EQ(to_hex(first.amf), "b9b9");
    EXPECT_EQ(to_hex(first.sqn), "ff9bb4d0b607");
    EXPECT_EQ(first.mode, GbaMode::GbaU);
    EXPECT_EQ(first.lifetime, std::chrono::seconds(3600));
    const auto rand = vectors::array<16>("23553cbe9637a89d218ae64dae47bf35");
    EXPECT_EQ(vectors::text_of(first.algorithm->f2345(rand).res), "a54211d5e3ba50bf");
    const Subscriber& second = list->at(1);
    EXPECT_EQ(second.mnc_length, 3u);
    EXPECT_EQ(to_hex(second.amf), "8000");
    EXPECT_EQ(to_hex(second.sqn), "000000000020");
    EXPECT_EQ(second.mode, GbaMode::GbaMe);
    EXPECT_EQ(second.lifetime, std::nullopt);
    EXPECT_EQ(vectors::text_of(second.algorithm->f2345(rand).res), "a54211d5e3ba50bf");
    EXPECT_EQ(list->at(2).mode, GbaMode::Gba2g);
    EXPECT_EQ(list->at(2).algorithm->f2345(rand).res.size(), 16u);
}

/// kGood with one line replaced.
std::string with_line(std::string_view old_line, std::string_view new_line) {
    std::string text(kGood);
    const auto at = text.find(old_line);
    EXPECT_NE(at, std::string::npos) << old_line;
    return text.replace(at, old_line.size(), new_line);
}

TEST(SubscriberFile, ErrorsNameFileLineKeyAndRemedy) {
    const std::string imsi = R"(imsi = "001010123456789")";
    const std::string k = R"(k = "465b5ce8b199b49faa5f0a2ee238a6bc")";
    const std::string opc = R"(opc = "cd63cb71954a9f4e48a5994e37a02baf")";
    const struct {
        std::string text;
        std::string place;
        std::string remedy;
    } rows[]{
        {with_line(imsi, R"(imsi = "12345")"), "s.toml:3: subscriber.imsi", "6 to 15 digits"},
        {with_line(imsi, R"(imsi = "00101012345678a")"), "s.toml:3: subscriber.imsi", "digits"},
        {with_line(imsi, "imsi = 1010123456789"), "s.toml:3: subscriber.imsi", "in quotes"},
        {with_line(imsi, ""), "s.toml:2: subscriber.imsi", "digits"},
        {with_line(imsi, R"(imsi = "310150123456789")"), "s.toml:12: subscriber.imsi",
         "remove one"},
        {with_line("mnc_length = 2", "mnc_length = 4"), "s.toml:4: subscriber.mnc_length",
         "2 or 3"},
        {with_line("mnc_length = 2", "mnc_length = \"2\""), "s.toml:4: subscriber.mnc_length",
         "2 or 3"},
        {with_line("mnc_length = 2", ""), "s.toml:2: subscriber.mnc_length", "missing"},
        {with_line(k, R"(k = "465b5ce8b199b49faa5f0a2ee238a6")"), "s.toml:5: subscriber.k",
         "32 hex digits"},
        {with_line(k, R"(k = "x65b5ce8b199b49faa5f0a2ee238a6bc")"), "s.toml:5: subscriber.k",
         "32 hex digits"},
        {with_line(k, ""), "s.toml:2: subscriber.k", "32 hex digits"},
        {with_line(opc, ""), "s.toml:2: subscriber.opc", "exactly one of opc and op"},
        {with_line(opc, opc + "\n" + R"(op = "cdc202d5123e20f62b6d676ac72cb318")"),
         "s.toml:6: subscriber.opc", "exactly one"},
        {with_line(R"(amf = "b9b9")", R"(amf = "b9")"), "s.toml:7: subscriber.amf", "4 hex digits"},
        {with_line(R"(sqn = "ff9bb4d0b607")", "sqn = 32"), "s.toml:8: subscriber.sqn",
         "12 hex digits"},
        {with_line("lifetime_seconds = 3600", "lifetime_seconds = 0"),
         "s.toml:9: subscriber.lifetime_seconds", "31622400"},
        {with_line(R"(mode = "gba-me")", R"(mode = "gba")"), "s.toml:16: subscriber.mode", "gba-u"},
        {with_line(R"(algorithm = "xor")", R"(algorithm = "tuak")"),
         "s.toml:21: subscriber.algorithm", "milenage"},
        {with_line(R"(algorithm = "xor")", "algorithm = \"xor\"\n" + opc),
         "s.toml:22: subscriber.opc", "remove it"},
        {with_line(opc, opc + "\nki = \"1\""), "s.toml:7: subscriber.ki", "unknown"},
        {with_line("[[subscriber]]", "[[subscribers]]"), "s.toml:2: subscribers", "unknown"},
        {"[subscriber]\n", "s.toml: subscriber", "[[subscriber]]"},
        {"subscriber = [1]\n", "s.toml:1: subscriber", "[[subscriber]]"},
        {"", "s.toml: subscriber", "[[subscriber]]"},
        {with_line(k, R"(k = "465b5ce8b199b49faa5f0a2ee238a6bc)"), "s.toml:5:", "not TOML"},
        {with_line(k, "k = 465b5ce8b199b49faa5f0a2ee238a6bc"), "s.toml:5:", "not TOML"},
        {std::string("imsi = \"\0\"", 10), "s.toml:1:", "not TOML"},
    };
    for (const auto& row : rows) {
        const auto list = parse_subscribers(row.text, "s.toml");
        ASSERT_FALSE(list) << row.text;
        EXPECT_EQ(list.error().code, Errc::ConfigInvalid);
        EXPECT_THAT(list.error().context, HasSubstr(row.place));
        EXPECT_THAT(list.error().context, HasSubstr(row.remedy));
        EXPECT_THAT(list.error().context, Not(HasSubstr("b5ce8b199b4")));
        EXPECT_THAT(list.error().context, Not(HasSubstr("cd63cb71954a")));
    }
}

TEST(SubscriberFile, EveryCutOfAGoodFileIsHandled) {
    for (std::size_t length = 0; length < kGood.size(); ++length) {
        const auto list = parse_subscribers(kGood.substr(0, length), "s.toml");
        if (!list) {
            EXPECT_EQ(list.error().code, Errc::ConfigInvalid);
        }
    }
}

TEST(SubscriberFile, MustBePrivate) {
    std::string folder = testing::TempDir() + "subscribersXXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    const std::string path = folder + "/s.toml";
    std::ofstream(path) << kGood;
    ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
    EXPECT_FALSE(read_subscribers(path));
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
    const auto list = read_subscribers(path);
    ASSERT_TRUE(list) << list.error().context;
    EXPECT_EQ(list->size(), 3u);
    ::unlink(path.c_str());
    EXPECT_FALSE(read_subscribers(path));
    ::rmdir(folder.c_str());
}

/// Every key, each as long as it can be.
std::string largest_file(int subscribers) {
    std::string text;
    for (int i = 0; i < subscribers; ++i) {
        text += R"([[subscriber]]
imsi = ")" + std::to_string(100'000'000'000'000 + i) +
                R"("
mnc_length = 2
k = "465b5ce8b199b49faa5f0a2ee238a6bc"
opc = "cd63cb71954a9f4e48a5994e37a02baf"
algorithm = "milenage"
amf = "b9b9"
sqn = "ff9bb4d0b607"
mode = "gba-me"
lifetime_seconds = 31622400
)";
    }
    return text;
}

TEST(SubscriberFile, HoldsWhatItsLimitPromises) {
    ASSERT_TRUE(init_secure_heap());
    std::string path = testing::TempDir() + "subscribersXXXXXX";
    const UniqueFd file(::mkstemp(path.data()));
    ASSERT_TRUE(file.valid());
    const auto written = [&](const std::string& text) {
        return ::ftruncate(file.get(), 0) == 0 && ::lseek(file.get(), 0, SEEK_SET) == 0 &&
               write_all(file.get(), as_octets(text));
    };
    ASSERT_TRUE(written(largest_file(256)));
    const auto list = read_subscribers(path);
    ASSERT_TRUE(list) << list.error().context;
    EXPECT_EQ(list->size(), 256U);
    ASSERT_TRUE(written(largest_file(257)));
    EXPECT_THAT(read_subscribers(path).error().context, HasSubstr("one to 256"));
    ASSERT_TRUE(written(largest_file(1) + std::string(64 * 1024, '#')));
    EXPECT_EQ(read_subscribers(path).error().code, Errc::LimitExceeded);
    ::unlink(path.c_str());
}

} // namespace
} // namespace mtkey::aka
