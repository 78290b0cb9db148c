// SPDX-License-Identifier: Apache-2.0
#include "device/transport_link.hpp"
#include "unit/transports/plugin_host.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

namespace mtkey::device {
namespace {

using transports::PluginFolder;
using transports::PluginHost;

class TransportLinkTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (!PluginFolder::built("loopback")) {
            GTEST_SKIP() << "plugin_loopback is off";
        }
        settings_.name = "device";
        settings_.plugin = "loopback";
        settings_.plugin_dir = folder_.path();
        settings_.role = transports::Role::Connect;
        settings_.options["path"] = socket();
    }
    std::string socket() const { return folder_.path() + "/socket"; }

    PluginFolder folder_;
    transports::InstanceSettings settings_;
    SystemClock clock_;
    Limits limits_{clock_, clock_.boot_now() + std::chrono::seconds(20)};
};

TEST_F(TransportLinkTest, GivesOneConnectionAfterTheOther) {
    PluginHost mt;
    ASSERT_TRUE(mt.start(folder_, "loopback", transports::Role::Listen, {{"path", socket()}}));
    ASSERT_TRUE(mt.wait_for(transports::State::Ready));
    TransportLink link(settings_, std::chrono::seconds(10));
    for (int round = 0; round < 2; ++round) {
        auto connection = link.open(limits_);
        ASSERT_TRUE(connection) << describe(connection.error());
        EXPECT_TRUE(connection->reliable);
        EXPECT_TRUE(mt.next_connection());
        connection->fd.reset();
    }
}

TEST_F(TransportLinkTest, SaysWhyThereIsNone) {
    TransportLink nobody(settings_, std::chrono::milliseconds(50));
    const auto late = nobody.open(limits_);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::TimedOut);
    EXPECT_THAT(late.error().context, ::testing::HasSubstr(socket()));

    const UniqueFd cancel(::eventfd(1, EFD_CLOEXEC));
    limits_.cancel_fd = cancel.get();
    TransportLink cancelled(settings_, std::chrono::seconds(10));
    EXPECT_EQ(cancelled.open(limits_).error().code, Errc::Cancelled);

    settings_.plugin = "none";
    TransportLink missing(settings_, std::chrono::seconds(10));
    EXPECT_EQ(missing.open(limits_).error().code, Errc::NotFound);
}

} // namespace
} // namespace mtkey::device
