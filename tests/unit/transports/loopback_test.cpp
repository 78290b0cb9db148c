// SPDX-License-Identifier: Apache-2.0
#include "unit/transports/plugin_host.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace mtkey::transports {
namespace {

using ::testing::HasSubstr;

class LoopbackTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (!PluginFolder::built("loopback")) {
            GTEST_SKIP() << "plugin_loopback is off";
        }
    }
    Result<void> start(PluginHost& host, Role role, const std::string& path) {
        return host.start(folder_, "loopback", role, {{"path", path}});
    }
    std::string path() const { return folder_.path() + "/socket"; }
    PluginFolder folder_;
};

void expect_joined(const Connection& from, const Connection& to) {
    ASSERT_EQ(::write(from.fd.get(), "ping", 4), 4);
    pollfd wait{to.fd.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&wait, 1, 5000), 1);
    char text[8] = {};
    EXPECT_EQ(::read(to.fd.get(), text, sizeof text), 4);
    EXPECT_STREQ(text, "ping");
}

TEST_F(LoopbackTest, JoinsTwoInstances) {
    for (const std::string& where : {path(), "@mtkey-test-" + std::to_string(::getpid())}) {
        PluginHost listener;
        PluginHost connector;
        ASSERT_TRUE(start(listener, Role::Listen, where));
        ASSERT_TRUE(listener.wait_for(State::Ready));
        ASSERT_TRUE(start(connector, Role::Connect, where));
        auto device = connector.next_connection();
        auto mt = listener.next_connection();
        ASSERT_TRUE(device && mt);
        EXPECT_EQ(mt->peer, "uid:" + std::to_string(::geteuid()));
        EXPECT_TRUE(mt->reliable);
        EXPECT_FALSE(mt->bonded);
        EXPECT_EQ(mt->role, Role::Listen);
        EXPECT_EQ(device->role, Role::Connect);
        expect_joined(*device, *mt);
        expect_joined(*mt, *device);
    }
}

TEST_F(LoopbackTest, PathIsPrivateAndRemovedAtTheEnd) {
    PluginHost listener;
    ASSERT_TRUE(start(listener, Role::Listen, path()));
    ASSERT_TRUE(listener.wait_for(State::Ready));
    struct stat status{};
    ASSERT_EQ(::stat(path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
    listener.instance.reset();
    EXPECT_NE(::stat(path().c_str(), &status), 0);
}

TEST_F(LoopbackTest, ConnectsAgainAfterRelease) {
    PluginHost listener;
    PluginHost connector;
    ASSERT_TRUE(start(connector, Role::Connect, path()));
    ASSERT_TRUE(connector.wait_for(State::Failed)) << "nobody listens yet";
    ASSERT_TRUE(start(listener, Role::Listen, path()));
    ASSERT_TRUE(listener.wait_for(State::Ready));
    for (int round = 0; round < 2; ++round) {
        auto device = connector.next_connection();
        auto mt = listener.next_connection();
        ASSERT_TRUE(device && mt);
        expect_joined(*device, *mt);
        device->fd.reset();
        connector.instance->released(device->peer);
        EXPECT_EQ(connector.instance->state(), State::Starting);
    }
}

TEST_F(LoopbackTest, TakesTheSocketOfAnEndedProgramOnly) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    UniqueFd other(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(other.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(other.get(), 1), 0);
    {
        PluginHost host;
        ASSERT_TRUE(start(host, Role::Listen, path()));
        ASSERT_TRUE(host.wait_for(State::Failed));
        EXPECT_THAT(host.instance->last_message(), HasSubstr("in use"));
    }
    other.reset();
    PluginHost host;
    ASSERT_TRUE(start(host, Role::Listen, path()));
    EXPECT_TRUE(host.wait_for(State::Ready));

    const std::string file = folder_.path() + "/file";
    std::ofstream(file) << "precious";
    PluginHost careful;
    ASSERT_TRUE(start(careful, Role::Listen, file));
    EXPECT_TRUE(careful.wait_for(State::Failed));
    struct stat status{};
    EXPECT_EQ(::stat(file.c_str(), &status), 0);
}

TEST_F(LoopbackTest, RefusesWrongOptions) {
    const std::vector<std::pair<std::map<std::string, std::string>, std::string>> rows{
        {{}, "path must be set"},
        {{{"path", ""}}, "path must be set"},
        {{{"path", "relative"}}, "path must be set"},
        {{{"path", "/" + std::string(200, 'x')}}, "longer"},
        {{{"path", "/x"}, {"devcie", "y"}}, "unknown key 'devcie'"},
    };
    for (const auto& [options, reason] : rows) {
        PluginHost host;
        const auto started = host.start(folder_, "loopback", Role::Listen, options);
        ASSERT_FALSE(started);
        EXPECT_EQ(started.error().code, Errc::ConfigInvalid);
        EXPECT_THAT(started.error().context, HasSubstr(reason));
    }
}

} // namespace
} // namespace mtkey::transports
