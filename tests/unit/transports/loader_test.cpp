// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"
#include "unit/transports/plugin_host.hpp"

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>

namespace mtkey::transports {
namespace {

using ::testing::HasSubstr;

class LoaderTest : public ::testing::Test {
protected:
    Error refused(const std::string& plugin, std::map<std::string, std::string> options = {}) {
        PluginHost host;
        auto started = host.start(folder_, plugin, Role::Listen, std::move(options));
        EXPECT_FALSE(started.has_value()) << plugin;
        return started ? Error{} : started.error();
    }
    PluginFolder folder_;
};

TEST_F(LoaderTest, GivesConnectionsWithTheirFacts) {
    PluginHost host;
    ASSERT_TRUE(host.start(folder_, "good", Role::Connect));
    EXPECT_EQ(host.instance->state(), State::Starting);
    EXPECT_EQ(host.instance->name(), "test");
    auto connection = host.next_connection();
    ASSERT_TRUE(connection);
    EXPECT_EQ(connection->peer, "good");
    EXPECT_EQ(connection->transport, "test");
    EXPECT_TRUE(connection->reliable);
    EXPECT_TRUE(connection->bonded);
    EXPECT_EQ(connection->role, Role::Connect);
    EXPECT_EQ(connection->largest_frame, 2048U);
    // The plugin gave a blocking descriptor that a child would inherit.
    EXPECT_NE(::fcntl(connection->fd.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(::fcntl(connection->fd.get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_TRUE(host.connections.empty()) << "names that cannot be used are refused";
}

TEST_F(LoaderTest, SaysWhyARefusedDescriptorIsClosed) {
    PluginHost host;
    set_log_level(LogLevel::Debug);
    ::testing::internal::CaptureStderr();
    ASSERT_TRUE(host.start(folder_, "good", Role::Listen));
    EXPECT_TRUE(host.instance->dispatch());
    const std::string text = ::testing::internal::GetCapturedStderr();
    set_log_level(LogLevel::Info);
    EXPECT_THAT(text, HasSubstr("closed"));
    EXPECT_THAT(text, ::testing::Not(HasSubstr("open")));
    EXPECT_EQ(host.connections.size(), 1U);
}

TEST_F(LoaderTest, TheOwnerMayRefuseAConnection) {
    PluginHost host;
    host.refuses = true;
    set_log_level(LogLevel::Debug);
    ::testing::internal::CaptureStderr();
    ASSERT_TRUE(host.start(folder_, "good", Role::Listen));
    EXPECT_TRUE(host.instance->dispatch());
    const std::string text = ::testing::internal::GetCapturedStderr();
    set_log_level(LogLevel::Info);
    // The plugin logs each refusal: this one and the two peers without a usable name.
    std::size_t refusals = 0;
    for (auto at = text.find("closed"); at != std::string::npos; at = text.find("closed", at + 1)) {
        ++refusals;
    }
    EXPECT_EQ(refusals, 3U) << text;
}

TEST_F(LoaderTest, TheOwnerHearsNothingFromTheDestructor) {
    PluginHost host;
    ASSERT_TRUE(host.start(folder_, "good", Role::Listen));
    host.instance.reset();
    ASSERT_FALSE(host.states.empty());
    EXPECT_EQ(host.states.back().first, State::Starting);
}

TEST_F(LoaderTest, ModuleStaysMappedWhileAConnectionLives) {
    const auto mapped = [this] {
        std::ifstream maps("/proc/self/maps");
        std::string line;
        while (std::getline(maps, line)) {
            if (line.find(folder_.module("good")) != std::string::npos) {
                return true;
            }
        }
        return false;
    };
    PluginHost host;
    ASSERT_TRUE(host.start(folder_, "good", Role::Listen));
    auto connection = host.next_connection();
    ASSERT_TRUE(connection);
    host.instance.reset();
    EXPECT_TRUE(mapped());
    connection->module.reset();
    EXPECT_FALSE(mapped());
}

TEST_F(LoaderTest, TwoModulesAndTwoInstancesAreKeptApart) {
    PluginHost first;
    PluginHost second;
    PluginHost third;
    ASSERT_TRUE(first.start(folder_, "good", Role::Listen));
    ASSERT_TRUE(second.start(folder_, "good", Role::Listen));
    first.instance.reset(); // its descriptor number is free now, or kept
    ASSERT_TRUE(third.start(folder_, "throws", Role::Listen, {{"any", "thing"}}));
    EXPECT_TRUE(second.next_connection());
}

TEST_F(LoaderTest, RefusesNamesThatLeaveTheFolder) {
    for (const auto* name : {"", "../good", "a/b", "Good", "x.so", "good\n"}) {
        const Error error = refused(name);
        EXPECT_EQ(error.code, Errc::ConfigInvalid) << name;
    }
    EXPECT_EQ(refused(std::string(33, 'a')).code, Errc::ConfigInvalid);
    EXPECT_EQ(refused(std::string(32, 'a')).code, Errc::NotFound);
}

TEST_F(LoaderTest, RefusesARelativeOrMissingFolder) {
    InstanceSettings settings;
    settings.plugin = "good";
    settings.plugin_dir = "plugins";
    EXPECT_EQ(Instance::create(settings, {}).error().code, Errc::ConfigInvalid);
    settings.plugin_dir = folder_.path() + "/none";
    EXPECT_EQ(Instance::create(settings, {}).error().code, Errc::NotFound);
    settings.plugin_dir = folder_.module("good");
    EXPECT_EQ(Instance::create(settings, {}).error().code, Errc::IoFailed);
}

TEST_F(LoaderTest, RefusesAModuleThatOthersMayWrite) {
    for (const mode_t mode : {0664U, 0646U, 0666U}) {
        ASSERT_EQ(::chmod(folder_.module("good").c_str(), mode), 0);
        EXPECT_EQ(refused("good").code, Errc::NotAuthorized);
    }
    ASSERT_EQ(::chmod(folder_.module("good").c_str(), 0644), 0);
    for (const mode_t mode : {0775U, 0757U, 01777U}) {
        ASSERT_EQ(::chmod(folder_.path().c_str(), mode), 0);
        EXPECT_THAT(refused("good").context, HasSubstr("plugin folder"));
    }
}

TEST_F(LoaderTest, RefusesForeignOwners) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root can give files away";
    }
    ASSERT_EQ(::chown(folder_.module("good").c_str(), 65534, 65534), 0);
    EXPECT_EQ(refused("good").code, Errc::NotAuthorized);
    ASSERT_EQ(::chown(folder_.module("good").c_str(), 0, 0), 0);
    ASSERT_EQ(::chown(folder_.path().c_str(), 65534, 65534), 0);
    EXPECT_EQ(refused("good").code, Errc::NotAuthorized);
}

TEST_F(LoaderTest, RefusesLinksAndOtherFiles) {
    std::filesystem::create_symlink(folder_.module("good"), folder_.module("link"));
    EXPECT_EQ(refused("link").code, Errc::IoFailed);
    ASSERT_EQ(::mkfifo(folder_.module("fifo").c_str(), 0644), 0);
    EXPECT_EQ(refused("fifo").code, Errc::InvalidArgument);
    std::filesystem::create_directory(folder_.module("folder"));
    EXPECT_EQ(refused("folder").code, Errc::InvalidArgument);
    std::ofstream(folder_.module("text")) << "not an ELF file";
    EXPECT_EQ(refused("text").code, Errc::ConfigInvalid);
}

TEST_F(LoaderTest, ChecksTheDescriptionBeforeItCallsAnything) {
    EXPECT_THAT(refused("abi").context, HasSubstr("plugin ABI 2"));
    EXPECT_THAT(refused("size").context, HasSubstr("wrong size"));
    EXPECT_THAT(refused("name").context, HasSubstr("is not the plugin 'name'"));
    EXPECT_THAT(refused("symbol").context, HasSubstr("mt_transport_plugin_v1"));
    EXPECT_THAT(refused("function").context, HasSubstr("lacks a function"));
}

TEST_F(LoaderTest, PassesThePluginsReasonOn) {
    const Error error = refused("refuses");
    EXPECT_EQ(error.code, Errc::ConfigInvalid);
    EXPECT_THAT(error.context, HasSubstr("transport test: the reason"));
    EXPECT_EQ(error.context.find('\n'), std::string::npos);
}

TEST_F(LoaderTest, FencesExceptions) {
    EXPECT_EQ(refused("throws").code, Errc::ConfigInvalid);
    PluginHost host;
    ASSERT_TRUE(host.start(folder_, "throws", Role::Listen, {{"any", "thing"}}));
    ::testing::internal::CaptureStderr();
    EXPECT_FALSE(host.instance->dispatch());
    EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("dispatch"));
    EXPECT_EQ(host.instance->state(), State::Failed);
    // It is still readable: whoever went on would spin, and fill the log.
    ::testing::internal::CaptureStderr();
    EXPECT_FALSE(host.instance->dispatch());
    host.instance->released("any");
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
    EXPECT_EQ(std::ranges::count(host.states, State::Failed, &std::pair<State, std::string>::first),
              1);

    // The other way round: the program's own callback throws, and the plugin sees a refusal.
    InstanceSettings settings;
    settings.name = "test";
    settings.plugin = "good";
    settings.plugin_dir = folder_.path();
    Instance::Callbacks callbacks;
    callbacks.connected = [](const Connection&) -> bool { throw std::runtime_error("no"); };
    auto instance = Instance::create(settings, std::move(callbacks));
    ASSERT_TRUE(instance);
    EXPECT_TRUE((*instance)->dispatch());
    EXPECT_EQ((*instance)->state(), State::Starting);
}

} // namespace
} // namespace mtkey::transports
