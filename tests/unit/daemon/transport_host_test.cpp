// SPDX-License-Identifier: Apache-2.0
// Who keeps a place, and whose end a plugin is told of: on the real plugins.
#include "daemon/transport_host.hpp"

#include "unit/daemon/procedure_fixture.hpp"
#include "unit/transports/plugin_host.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace mtkey::daemon {
namespace {

/// A device's end of a connection, driven by hand.
struct Device {
    Device(UniqueFd connected, bool reliable, RandomSource& random, const Clock& clock_here)
        : fd(std::move(connected)),
          clock(clock_here),
          session(local::session_settings(reliable, 0), random, clock_here.boot_now()) {}
    void turn() {
        if (const auto out = session.take_output(); !out.empty()) {
            (void)!::write(fd.get(), out.data(), out.size());
        }
        std::array<std::uint8_t, 4096> buffer{};
        const auto got = ::read(fd.get(), buffer.data(), buffer.size());
        ended = ended || got == 0 || (got < 0 && errno != EAGAIN);
        if (got > 0) {
            session.receive(ByteView(buffer).first(static_cast<std::size_t>(got)),
                            clock.boot_now());
        }
    }
    UniqueFd fd;
    const Clock& clock;
    local::DeviceSession session;
    kdf::TranscriptHash th_conn{};
    bool ended = false;
};

class TransportHostTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (!transports::PluginFolder::built("loopback") ||
            !transports::PluginFolder::built("serial")) {
            GTEST_SKIP() << "plugin_loopback or plugin_serial is off";
        }
        std::signal(SIGPIPE, SIG_IGN); // as main() does
        // The loop's timers are in real time: none of the manual clock's is due in this test.
        clock.advance(24h * 10'000);
    }
    void begin(TransportConfig transport) {
        config = make_config();
        config.plugin_dir = folder.path();
        config.transports = {std::move(transport)};
        mt.emplace(reactor, config, clock, random, card, store);
        host.emplace(reactor, *mt);
        ASSERT_TRUE(host->start("t0"));
    }
    void begin_loopback() {
        begin({"t0", "loopback", {{"path", socket_path()}}});
        until([this] { return view().state == "listening"; });
    }
    [[nodiscard]] std::string socket_path() const { return folder.path() + "/socket"; }
    [[nodiscard]] TransportView view() const { return host->views().front(); }
    void turn() {
        reactor.post([this] { reactor.stop(0); });
        reactor.drain();
        for (auto& device : devices) {
            device->turn();
        }
    }
    /// The loop, until it is so; what never becomes so fails.
    void until(const std::function<bool()>& condition) {
        const auto end = SystemClock().boot_now() + 5s;
        bool met = condition();
        while (!met && SystemClock().boot_now() < end) {
            turn();
            met = condition();
        }
        EXPECT_TRUE(met);
    }
    /// Who has come over the socket and is either there or refused by now.
    Device& come() {
        UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        socket_path().copy(name.sun_path, sizeof name.sun_path - 1);
        EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
        return greet(std::move(fd), true);
    }
    Device& greet(UniqueFd fd, bool reliable) {
        devices.push_back(std::make_unique<Device>(std::move(fd), reliable, random, clock));
        Device& self = *devices.back();
        // HELLO is answered, or the end is seen.
        until([&] {
            const auto event = self.session.next_event();
            if (event) {
                self.th_conn = std::get<local::Connected>(*event).th_conn;
            }
            return event || self.ended;
        });
        return self;
    }
    Device& come_as(const std::string& device_id) {
        Device& self = come();
        if (self.ended) {
            return self;
        }
        self.session.request_key_info({device_id});
        std::optional<local::DeviceEvent> answer;
        until([&] { return self.ended || (answer = self.session.next_event()); });
        return self;
    }
    /// Who still has a connection, in the order of their coming: "1" or "0" for each.
    [[nodiscard]] std::string there() {
        for (int i = 0; i < 20; ++i) {
            turn();
        }
        std::string out;
        for (const auto& device : devices) {
            out += device->ended ? '0' : '1';
        }
        return out;
    }

    transports::PluginFolder folder;
    Config config;
    fakes::ManualClock clock{"2030-01-01T00:00:00Z"};
    SystemRandom random;
    Reactor reactor;
    FakeCard card{clock};
    store::MemoryKeyStore store{4};
    std::optional<Mt> mt;
    std::optional<TransportHost> host;
    std::vector<std::unique_ptr<Device>> devices;
};

TEST_F(TransportHostTest, StrangersMakeRoom) {
    begin_loopback();
    come_as(kDevice); // the oldest of all, and approved
    for (int i = 0; i < 4; ++i) {
        come();
        come_as("urn:uuid:stranger"); // no rule allows it
    }
    EXPECT_EQ(there(), "111111111");
    clock.advance(TransportHost::kStrangersTime - 1ms);
    come();
    EXPECT_EQ(there(), "1111111110") << "those who are there have their time";
    clock.advance(1ms);
    come();
    EXPECT_EQ(there(), "10111111101") << "the oldest stranger goes";
    come();
    EXPECT_EQ(there(), "100111111011");
    EXPECT_EQ(view().connections, 9U);
}

/// Anybody can say an approved Device_ID: that alone keeps two places, and not those of the device.
TEST_F(TransportHostTest, SayingADeviceIdKeepsTwoPlaces) {
    const std::string victim = "urn:uuid:2";
    begin_loopback();
    store::KeyRecord record;
    record.device_id = victim;
    record.uicc = card.state_.uicc;
    record.key_id = Secret<32>(std::array<std::uint8_t, 32>{1, 2, 3});
    record.local_end = clock.utc_now() + 1h;
    record.deadline = clock.boot_now() + 1h;
    const auto key_id = record.key_id.clone();
    ASSERT_TRUE(store.put(std::move(record)));

    come_as(victim); // two that lie
    come_as(victim);
    Device& proven = come();
    proven.session.resume({{kdf::resume_tag(key_id, proven.th_conn)}});
    std::optional<local::DeviceEvent> answer;
    until([&] { return proven.ended || (answer = proven.session.next_event()); });
    ASSERT_TRUE(answer);
    EXPECT_EQ(std::get<local::ResumeAnswered>(*answer).answer.status,
              local::ResumeAnswer::Status::Known);
    for (std::size_t i = 0; i < 2 + TransportHost::kMostStrangers; ++i) {
        come_as(kDevice);
    }
    come_as(kDevice);
    EXPECT_EQ(there(), "11111111111110");
    clock.advance(TransportHost::kStrangersTime);
    come_as(kDevice);
    come_as(victim);
    EXPECT_EQ(there(), "1111100111111011");
}

/// The same tty, once more, while the link of the start before still has something to say.
TEST_F(TransportHostTest, EndOfAFormerStartIsNotThePresentOnes) {
    int master_fd = -1;
    int slave_fd = -1;
    std::array<char, 64> name{};
    ASSERT_EQ(::openpty(&master_fd, &slave_fd, name.data(), nullptr, nullptr), 0);
    UniqueFd master(master_fd);
    const UniqueFd slave(slave_fd);
    for (const int fd : {master_fd, slave_fd}) {
        ASSERT_EQ(::fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    }
    begin({"t0", "serial", {{"device", name.data()}, {"exclusive", "false"}}});
    until([this] { return view().connections == 1; });
    master = std::move(greet(std::move(master), false).fd);
    devices.clear();
    // The line takes no more: BYE has to wait.
    const std::array<char, 256> noise{};
    while (::write(slave.get(), noise.data(), noise.size()) > 0) {
    }
    ASSERT_TRUE(host->stop("t0"));
    ASSERT_TRUE(host->start("t0"));
    until([this] { return view().connections == 2; });
    EXPECT_EQ(view().state, "listening");
    until([&] {
        std::array<char, 4096> sink{};
        while (::read(master.get(), sink.data(), sink.size()) > 0) {
        }
        return view().connections == 1;
    });
    EXPECT_EQ(view().state, "listening") << "the present link is not what has ended";
}

} // namespace
} // namespace mtkey::daemon
