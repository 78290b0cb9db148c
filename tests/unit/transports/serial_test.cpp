// SPDX-License-Identifier: Apache-2.0
#include "plugins/serial/tty.hpp"
#include "unit/transports/plugin_host.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/file.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

namespace mtkey::transports {
namespace {

using ::testing::HasSubstr;

/// A pseudo-terminal whose slave end is left to the plugin.
struct Pty {
    Pty() {
        int master_fd = -1;
        int slave_fd = -1;
        char name[64] = {};
        if (::openpty(&master_fd, &slave_fd, name, nullptr, nullptr) == 0) {
            master.reset(master_fd);
            ::close(slave_fd);
            slave = name;
        }
    }
    UniqueFd master;
    std::string slave;
};

std::string read_text(int fd, std::size_t size) {
    std::string text;
    pollfd wait{fd, POLLIN, 0};
    while (text.size() < size && ::poll(&wait, 1, 5000) == 1) {
        char part[64];
        const ssize_t got = ::read(fd, part, sizeof part);
        if (got <= 0) {
            break;
        }
        text.append(part, static_cast<std::size_t>(got));
    }
    return text;
}

/// The plugin's timer, so that nobody waits for it.
class PluginTimer {
public:
    explicit PluginTimer(int epoll) {
        std::ifstream info("/proc/self/fdinfo/" + std::to_string(epoll));
        std::string word;
        while (info >> word && word != "tfd:") {
        }
        info >> fd_;
    }
    [[nodiscard]] long left_ms() const {
        itimerspec left{};
        EXPECT_EQ(::timerfd_gettime(fd_, &left), 0);
        return left.it_value.tv_sec * 1000 + left.it_value.tv_nsec / 1'000'000;
    }
    void fire() const {
        itimerspec now{};
        now.it_value.tv_nsec = 1;
        EXPECT_EQ(::timerfd_settime(fd_, 0, &now, nullptr), 0);
        pollfd wait{fd_, POLLIN, 0};
        EXPECT_EQ(::poll(&wait, 1, 5000), 1);
    }

private:
    int fd_ = -1;
};

class SerialTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (!PluginFolder::built("serial")) {
            GTEST_SKIP() << "plugin_serial is off";
        }
        ASSERT_TRUE(pty_.master.valid());
    }
    Result<void> start(PluginHost& host, std::map<std::string, std::string> options) {
        return host.start(folder_, "serial", Role::Listen, std::move(options));
    }
    PluginFolder folder_;
    Pty pty_;
};

TEST_F(SerialTest, AnnouncesTheTtyAtOnceAndRaw) {
    PluginHost host;
    ASSERT_TRUE(start(host, {{"device", pty_.slave}, {"baud", "9600"}}));
    auto connection = host.next_connection();
    ASSERT_TRUE(connection);
    EXPECT_EQ(connection->peer, pty_.slave);
    EXPECT_FALSE(connection->reliable);
    EXPECT_FALSE(connection->bonded);
    EXPECT_EQ(host.instance->state(), State::Ready);

    termios line{};
    ASSERT_EQ(::tcgetattr(connection->fd.get(), &line), 0);
    EXPECT_EQ(::cfgetospeed(&line), static_cast<speed_t>(B9600));
    EXPECT_EQ(line.c_lflag & (ECHO | ICANON | ISIG), 0U);
    EXPECT_NE(line.c_cflag & CLOCAL, 0U);

    // Octets that a cooked tty would change: NUL, ^C, CR, LF, ^S, FF, DEL.
    const std::string odd("\0\x03\r\n\x13\xFF\x7F", 7);
    ASSERT_EQ(::write(pty_.master.get(), odd.data(), odd.size()), 7);
    EXPECT_EQ(read_text(connection->fd.get(), 7), odd);
    ASSERT_EQ(::write(connection->fd.get(), odd.data(), odd.size()), 7);
    EXPECT_EQ(read_text(pty_.master.get(), 7), odd) << "neither changed nor echoed";
}

// tcsetattr(3) says yes when it could do any of it.
TEST(SerialTty, NoticesWhatWasNotTaken) {
    termios wanted{};
    ::cfmakeraw(&wanted);
    ::cfsetospeed(&wanted, B115200);
    ::cfsetispeed(&wanted, B115200);
    const auto problem = [&](auto change) {
        termios is = wanted;
        change(is);
        return plugins::serial::difference(wanted, is);
    };
    EXPECT_EQ(problem([](termios&) {}), "");
    EXPECT_EQ(problem([](termios& is) { is.c_cflag |= HUPCL; }), "") << "does not matter";
    EXPECT_THAT(problem([](termios& is) { ::cfsetospeed(&is, B9600); }), HasSubstr("at 9600"));
    EXPECT_THAT(problem([](termios& is) { is.c_cflag |= PARENB; }), HasSubstr("no parity"));
    EXPECT_THAT(problem([](termios& is) { is.c_cflag &= ~tcflag_t{CSIZE}; }),
                HasSubstr("8 data bits"));
    EXPECT_THAT(problem([](termios& is) { is.c_cflag |= CRTSCTS; }), HasSubstr("no flow control"));
    EXPECT_THAT(problem([](termios& is) { is.c_iflag |= IXON; }), HasSubstr("raw"));
    EXPECT_THAT(problem([](termios& is) { is.c_lflag |= ECHO; }), HasSubstr("raw"));
}

TEST_F(SerialTest, KeepsWhatThePeerSentBefore) {
    // Raw already, as a peer's tty is; a cooked one would hold the text back until a line's end.
    const UniqueFd slave(::open(pty_.slave.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    termios line{};
    ASSERT_EQ(::tcgetattr(slave.get(), &line), 0);
    ::cfmakeraw(&line);
    ASSERT_EQ(::tcsetattr(slave.get(), TCSANOW, &line), 0);
    ASSERT_EQ(::write(pty_.master.get(), "hello", 5), 5);
    PluginHost host;
    ASSERT_TRUE(start(host, {{"device", pty_.slave}}));
    auto connection = host.next_connection();
    ASSERT_TRUE(connection);
    EXPECT_EQ(read_text(connection->fd.get(), 5), "hello");
}

TEST_F(SerialTest, LocksAgainstOthersUntilClosed) {
    PluginHost host;
    ASSERT_TRUE(start(host, {{"device", pty_.slave}}));
    auto connection = host.next_connection();
    ASSERT_TRUE(connection);
    const UniqueFd other(::open(pty_.slave.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_TRUE(other.valid()) << "TIOCEXCL would lock us out as well";
    EXPECT_NE(::flock(other.get(), LOCK_EX | LOCK_NB), 0);

    PluginHost second;
    ASSERT_TRUE(start(second, {{"device", pty_.slave}}));
    ASSERT_TRUE(second.wait_for(State::Failed));
    EXPECT_THAT(second.instance->last_message(),
                HasSubstr("locked by process " + std::to_string(::getpid())));

    PluginHost third;
    ASSERT_TRUE(start(third, {{"device", pty_.slave}, {"exclusive", "false"}}));
    EXPECT_TRUE(third.next_connection());

    connection->fd.reset();
    EXPECT_TRUE(second.next_connection()) << "tried again by itself";
}

TEST_F(SerialTest, OpensAgainAfterRelease) {
    PluginHost host;
    ASSERT_TRUE(start(host, {{"device", pty_.slave}}));
    for (int round = 0; round < 2; ++round) {
        auto connection = host.next_connection();
        ASSERT_TRUE(connection);
        connection->fd.reset();
        host.instance->released(connection->peer);
        EXPECT_EQ(host.instance->state(), State::Starting);
        host.instance->released(connection->peer); // twice does no harm
    }
}

/// A line that is at its end at once, or echoes: no five connections a second for ever.
TEST_F(SerialTest, OpensOneInFiveSecondsAfterManyConnections) {
    PluginHost host;
    ASSERT_TRUE(start(host, {{"device", pty_.slave}}));
    const PluginTimer timer(host.instance->poll_fd());
    for (int i = 1; i <= 24; ++i) {
        auto connection = host.next_connection();
        ASSERT_TRUE(connection);
        connection->fd.reset();
        host.instance->released(connection->peer);
        // The time that this test has taken has been made up for.
        const int wanted = i <= 20 ? 200 : (i - 20) * 5000;
        EXPECT_LE(timer.left_ms(), wanted) << i;
        EXPECT_GT(timer.left_ms(), i <= 20 ? 0 : wanted - 4900) << i;
        timer.fire();
    }
}

TEST_F(SerialTest, SurvivesHangUpAndFindsTheDeviceAgain) {
    const std::string link = folder_.path() + "/ttyUSB0";
    std::filesystem::create_symlink(pty_.slave, link);
    PluginHost host;
    ASSERT_TRUE(start(host, {{"device", link}}));
    auto connection = host.next_connection();
    ASSERT_TRUE(connection);

    pty_.master.reset(); // the adapter is pulled
    std::filesystem::remove(link);
    pollfd wait{connection->fd.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&wait, 1, 5000), 1);
    EXPECT_NE(wait.revents & POLLHUP, 0);
    connection->fd.reset();
    host.instance->released(connection->peer);
    ASSERT_TRUE(host.wait_for(State::Failed));
    EXPECT_THAT(host.instance->last_message(), HasSubstr("no such device"));

    const Pty again;
    std::filesystem::create_symlink(again.slave, link);
    auto second = host.next_connection();
    ASSERT_TRUE(second);
    ASSERT_EQ(::write(again.master.get(), "x", 1), 1);
    EXPECT_EQ(read_text(second->fd.get(), 1), "x");
}

TEST_F(SerialTest, SaysAProblemOnce) {
    PluginHost host;
    ASSERT_TRUE(start(host, {{"device", folder_.path() + "/none"}}));
    ASSERT_TRUE(host.wait_for(State::Failed));
    ASSERT_TRUE(host.step());
    ASSERT_TRUE(host.step());
    EXPECT_EQ(host.states.size(), 2U) << "starting, failed";
}

TEST_F(SerialTest, NeedsATty) {
    const std::string file = folder_.path() + "/file";
    std::ofstream(file) << "text";
    PluginHost host;
    ASSERT_TRUE(start(host, {{"device", file}}));
    ASSERT_TRUE(host.wait_for(State::Failed));
    EXPECT_THAT(host.instance->last_message(), HasSubstr("is not a tty"));
}

TEST_F(SerialTest, RefusesWrongOptions) {
    const std::vector<std::pair<std::map<std::string, std::string>, std::string>> rows{
        {{}, "device must be set"},
        {{{"device", "ttyUSB0"}}, "device must be set"},
        {{{"device", "/dev/x"}, {"baud", "115201"}}, "is not a speed"},
        {{{"device", "/dev/x"}, {"baud", ""}}, "is not a speed"},
        {{{"device", "/dev/x"}, {"exclusive", "yes"}}, "true or false"},
        {{{"device", "/dev/x"}, {"speed", "9600"}}, "unknown key 'speed'"},
    };
    for (const auto& [options, reason] : rows) {
        PluginHost host;
        const auto started = start(host, options);
        ASSERT_FALSE(started);
        EXPECT_EQ(started.error().code, Errc::ConfigInvalid);
        EXPECT_THAT(started.error().context, HasSubstr(reason));
    }
}

} // namespace
} // namespace mtkey::transports
