// SPDX-License-Identifier: Apache-2.0
#include "device/key_center.hpp"
#include "unit/device/fake_mt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mtkey::device {
namespace {

TEST(KeyCenterTarget, DefaultsWithoutUri) {
    const auto target = key_center_target(naf_entry("kc.3gppnetwork.org"));
    ASSERT_TRUE(target);
    EXPECT_EQ(target->fqdn, "kc.3gppnetwork.org");
    EXPECT_EQ(target->port, 443);
    EXPECT_EQ(target->path, "/.well-known/mtkey/key-request");
}

TEST(KeyCenterTarget, UriChangesPortAndPathOnly) {
    const std::vector<std::tuple<std::string, int, std::string>> good{
        {"https://kc.3gppnetwork.org", 443, "/.well-known/mtkey/key-request"},
        {"https://kc.3gppnetwork.org/", 443, "/"},
        {"https://kc.3gppnetwork.org:8443", 8443, "/.well-known/mtkey/key-request"},
        {"https://kc.3gppnetwork.org:8443/a/b", 8443, "/a/b"},
    };
    for (const auto& [uri, port, path] : good) {
        const auto target = key_center_target(naf_entry("kc.3gppnetwork.org", uri));
        ASSERT_TRUE(target) << uri;
        EXPECT_EQ(target->port, port);
        EXPECT_EQ(target->path, path);
    }
    for (const auto* uri :
         {"", "http://kc.3gppnetwork.org/", "https://other.3gppnetwork.org/",
          "https://kc.3gppnetwork.org.evil.com/", "https://kc.3gppnetwork.orgevil/",
          "https://kc.3gppnetwork.org@evil.com/", "https://kc.3gppnetwork.org:0/",
          "https://kc.3gppnetwork.org:65536/", "https://kc.3gppnetwork.org:x/",
          "https://kc.3gppnetwork.org:/", "https://kc.3gppnetwork.org:443@evil.com/",
          "https://kc.3gppnetwork.org/a b", "https://kc.3gppnetwork.org/a\r\nX: y",
          "https://kc.3gppnetwork.org/?q", "https://kc.3gppnetwork.org/#f",
          "https://kc.3gppnetwork.org?q", "HTTPS://kc.3gppnetwork.org/"}) {
        EXPECT_FALSE(key_center_target(naf_entry("kc.3gppnetwork.org", uri))) << uri;
    }
    EXPECT_FALSE(key_center_target(
        naf_entry("kc.3gppnetwork.org", "https://kc.3gppnetwork.org/" + std::string(600, 'a'))));
}

TEST(HttpKeyCenters, NobodyThereIsUnreachable) {
    KeyCenterSettings settings;
    settings.addresses["kc.3gppnetwork.org"] = "127.0.0.1:1"; // tcpmux: nobody listens there
    auto connection =
        http_key_centers(settings)(*key_center_target(naf_entry("kc.3gppnetwork.org")));
    ASSERT_TRUE(connection);
    const auto connected = (*connection)->connect();
    ASSERT_FALSE(connected);
    EXPECT_EQ(connected.error().code, Errc::KeyCenterUnreachable);
    EXPECT_FALSE((*connection)->authenticated());

    // The port of its URI is part of its name, also where it is reached at another address.
    connection = http_key_centers(settings)(
        *key_center_target(naf_entry("kc.3gppnetwork.org", "https://kc.3gppnetwork.org:8443/")));
    ASSERT_TRUE(connection);
    EXPECT_THAT((*connection)->connect().error().context,
                ::testing::StartsWith("kc.3gppnetwork.org:8443 at 127.0.0.1:1: "));
}

} // namespace
} // namespace mtkey::device
