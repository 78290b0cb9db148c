// SPDX-License-Identifier: Apache-2.0
// The daemon's objects on a bus of their own, with a polkit that says what the test wants.
#include "daemon/bus.hpp"

#include "daemon/bus_objects.hpp"
#include "unit/daemon/fake_card.hpp"
#include "unit/daemon/private_bus.hpp"

#include <gtest/gtest.h>
#include <systemd/sd-bus.h>

#include <future>
#include <thread>

namespace mtkey::daemon {
namespace {

using namespace std::chrono_literals;
using Answer = FakePolkit::Answer;
using Options = std::map<std::string, sdbus::Variant>;

const std::string kDevice = "urn:uuid:1";
constexpr const char* kInteractionRequired =
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired";

Config make_config() {
    Config config;
    config.devices = {DeviceRule{kDevice, true, "", ""}};
    config.transports = {TransportConfig{"t0", "no-such-plugin", {}}};
    return config;
}

struct InteractiveMessage : sdbus::Message {
    static void allow(const sdbus::Message& message) {
        sd_bus_message_set_allow_interactive_authorization(
            static_cast<sd_bus_message*>(message.*(&InteractiveMessage::msg_)), 1);
    }
};

class BusTest : public ::testing::Test {
protected:
    void SetUp() override {
        if (system.address.empty()) {
            GTEST_SKIP() << "no dbus-daemon";
        }
        card.state_.reader = "reader";
        card.bootstrap({.force = true}, [](const auto&) {});
        bus = Bus::create(reactor, mt, transports, *keeper, system.address, OwnUser::AsksPolkit)
                  .value();
        mt.set_events(bus->events());
        polkit.emplace(system.address);
        thread = std::thread([this] { reactor.run(); });
    }
    void TearDown() override {
        if (thread.joinable()) {
            reactor.stop(0);
            thread.join();
            reactor.drain();
            mt.set_events({});
        }
    }
    /// Does it on the reactor's thread.
    void on_reactor(const std::function<void()>& work) {
        std::promise<void> done;
        reactor.post([&] {
            work();
            done.set_value();
        });
        done.get_future().wait();
    }
    /// Calls it as another program would: "" or the error's name.
    template <typename... Arguments>
    std::string call(const std::string& path, const std::string& interface,
                     const std::string& method, bool interactive, const Arguments&... arguments) {
        const auto connection = sdbus::createSessionBusConnectionWithAddress(system.address);
        const auto proxy = sdbus::createProxy(*connection, "org.mtkeyd1", path);
        auto message = proxy->createMethodCall("org.mtkeyd1." + interface, method);
        if (interactive) {
            InteractiveMessage::allow(message);
        }
        static_cast<void>((message << ... << arguments));
        try {
            proxy->callMethod(message, 20s);
            return "";
        } catch (const sdbus::Error& error) {
            return error.getName();
        }
    }
    std::string discard(bool interactive = false) {
        return call(session(), "Session1", "Discard", interactive);
    }
    static std::string session(int number = 1) {
        return std::string(kRootPath) + "/session/" + std::to_string(number);
    }

    const Config config = make_config();
    fakes::ManualClock clock{"2030-01-01T00:00:00Z"};
    SystemRandom random;
    PrivateBus system;
    Reactor reactor;
    FakeCard card{clock};
    FileOps files;
    std::unique_ptr<KeyKeeper> keeper =
        KeyKeeper::open(config, files, clock, random, {}, {}).value();
    Mt mt{reactor, config, clock, random, card, *keeper};
    TransportHost transports{reactor, mt};
    std::unique_ptr<Bus> bus;
    std::optional<FakePolkit> polkit;
    std::thread thread;
};

TEST_F(BusTest, PolkitDecides) {
    polkit->set(Answer::No);
    EXPECT_EQ(discard(), "org.mtkeyd1.Error.NotAuthorized");
    EXPECT_EQ(discard(true), "org.mtkeyd1.Error.NotAuthorized");
    polkit->set(Answer::Challenge);
    EXPECT_EQ(discard(), kInteractionRequired);
    EXPECT_EQ(discard(true), "org.mtkeyd1.Error.NotAuthorized") << "nobody there to ask";
    const auto asked = polkit->take();
    ASSERT_EQ(asked.size(), 4U);
    EXPECT_FALSE(asked[0].interactive);
    EXPECT_TRUE(asked[1].interactive);
    EXPECT_TRUE(card.state_.context);
    polkit->set(Answer::Yes);
    EXPECT_EQ(discard(), "");
    EXPECT_FALSE(card.state_.context);
}

class SleepTest : public BusTest {
protected:
    void SetUp() override {
        logind.emplace(system.address);
        BusTest::SetUp();
    }
    static bool soon(const std::function<bool()>& condition) {
        for (int i = 0; i < 500 && !condition(); ++i) {
            std::this_thread::sleep_for(10ms);
        }
        return condition();
    }
    std::optional<FakeLogind> logind;
};

TEST_F(SleepTest, TheCardIsLeftBeforeTheSystemSleeps) {
    EXPECT_TRUE(soon([&] { return logind->held() == "sleep delay"; })) << logind->held();
    EXPECT_FALSE(card.asleep);
    card.late = true;
    for (int nights = 0; nights < 2; ++nights) {
        logind->say(true);
        EXPECT_TRUE(soon([&] { return card.asleep.load(); }));
        EXPECT_EQ(logind->held(), "sleep delay") << "it is being left";
        on_reactor([&] { card.answer_next(); });
        EXPECT_TRUE(soon([&] { return logind->held().empty(); }));
        logind->say(false);
        EXPECT_TRUE(soon([&] { return logind->held() == "sleep delay"; }));
        EXPECT_FALSE(card.asleep);
    }
}

TEST_F(SleepTest, OnlyLogindMaySaySo) {
    const auto connection = sdbus::createSessionBusConnectionWithAddress(system.address);
    const auto object = sdbus::createObject(*connection, "/org/freedesktop/login1");
    auto signal = object->createSignal("org.freedesktop.login1.Manager", "PrepareForSleep");
    signal << true;
    signal.setDestination("org.mtkeyd1");
    signal.send();
    // What comes behind it has come: the signal of logind itself is heard.
    EXPECT_EQ(call(kRootPath, "Manager1", "CancelBootstrap", false),
              "org.mtkeyd1.Error.NotAuthorized");
    on_reactor([] {});
    EXPECT_FALSE(card.asleep);
    logind->say(true);
    EXPECT_TRUE(soon([&] { return card.asleep.load(); }));
}

TEST_F(BusTest, InteractiveMayBeAnOption) {
    polkit->set(Answer::Challenge);
    const Options options{{"interactive", sdbus::Variant(true)}};
    EXPECT_EQ(call(kRootPath, "Manager1", "Bootstrap", false, Options{}), kInteractionRequired);
    EXPECT_NE(call(kRootPath, "Manager1", "Bootstrap", false, options), kInteractionRequired);
    EXPECT_NE(call(kRootPath, "Manager1", "ForgetDevice", false, kDevice, options),
              kInteractionRequired);
    const auto asked = polkit->take();
    ASSERT_EQ(asked.size(), 3U);
    EXPECT_FALSE(asked[0].interactive);
    EXPECT_TRUE(asked[1].interactive && asked[2].interactive);
}

TEST_F(BusTest, EveryMethodAsksForItsAction) {
    const auto action = [&](const std::string& path, const char* interface, const char* method,
                            const auto&... arguments) {
        EXPECT_EQ(call(path, interface, method, false, arguments...),
                  "org.mtkeyd1.Error.NotAuthorized");
        const auto asked = polkit->take();
        return asked.size() == 1 ? asked[0].action : "";
    };
    const std::string bootstrap = "org.mtkeyd1.bootstrap";
    const std::string devices = "org.mtkeyd1.manage-devices";
    const std::string configure = "org.mtkeyd1.configure";
    const std::string transport = std::string(kRootPath) + "/transport/t0";
    EXPECT_EQ(action(kRootPath, "Manager1", "Bootstrap", Options{}), bootstrap);
    EXPECT_EQ(action(kRootPath, "Manager1", "CancelBootstrap"), bootstrap);
    EXPECT_EQ(action(kRootPath, "Manager1", "ForgetDevice", kDevice, Options{}), devices);
    EXPECT_EQ(action(session(), "Session1", "Discard"), bootstrap);
    EXPECT_EQ(action(kUiccPath, "Uicc1", "SendPin", sdbus::UnixFd(0), Options{}),
              "org.mtkeyd1.send-pin");
    EXPECT_EQ(action(device_path(kDevice), "Device1", "Revoke"), devices);
    EXPECT_EQ(action(transport, "Transport1", "Start"), configure);
    EXPECT_EQ(action(transport, "Transport1", "Stop"), configure);
}

TEST_F(BusTest, PinComesByDescriptorAndIsNotWaitedFor) {
    polkit->set(Answer::Yes);
    int pipe[2] = {-1, -1};
    ASSERT_EQ(::pipe(pipe), 0);
    const auto send = [&] {
        return call(kUiccPath, "Uicc1", "SendPin", false, sdbus::UnixFd(pipe[0]), Options{});
    };
    EXPECT_EQ(send(), "org.mtkeyd1.Error.InvalidArgument") << "nothing there, and an open end";
    ASSERT_EQ(::write(pipe[1], "123456789", 9), 9);
    EXPECT_EQ(send(), "org.mtkeyd1.Error.InvalidArgument") << "too long";
    ::close(pipe[0]);
    ::close(pipe[1]);
    ASSERT_EQ(::pipe(pipe), 0);
    ASSERT_EQ(::write(pipe[1], "1234", 4), 4);
    ::close(pipe[1]);
    EXPECT_EQ(send(), "");
    ::close(pipe[0]);
    on_reactor([this] { EXPECT_EQ(card.pins, std::vector<std::string>{"1234"}); });
}

/// A person takes a minute; by then it is another session, and the object is gone.
TEST_F(BusTest, SessionThatEndsWhilePolkitAsks) {
    polkit->set(Answer::Wait);
    auto answer = std::async(std::launch::async, [this] { return discard(); });
    polkit->await_question();
    on_reactor([this] {
        card.bootstrap({.force = true}, [](const auto&) {});
        mt.card_changed();
    });
    polkit->say_yes();
    EXPECT_EQ(answer.get(), "org.mtkeyd1.Error.NotFound");
    on_reactor([this] { EXPECT_TRUE(card.state_.context) << "not the one that was meant"; });
    polkit->set(Answer::Yes);
    EXPECT_EQ(call(session(2), "Session1", "Discard", false), "");
}

TEST_F(BusTest, BootstrapTellsOfACardThatLeft) {
    polkit->set(Answer::Yes);
    on_reactor([this] { card.late = true; });
    auto answer = std::async(std::launch::async, [this] {
        return call(kRootPath, "Manager1", "Bootstrap", false, Options{});
    });
    const auto asked = [this] {
        bool is = false;
        on_reactor([&] { is = card.bootstraps == 2; });
        return is;
    };
    while (!asked()) {
        std::this_thread::yield();
    }
    on_reactor([this] {
        card.state_.state = CardState::State::NoCard;
        mt.card_changed();
        card.answer_next();
    });
    EXPECT_EQ(answer.get(), "org.mtkeyd1.Error.NoCard");
}

TEST_F(BusTest, CallsThatAreOpenAtTheEndAreAnswered) {
    polkit->set(Answer::Yes);
    on_reactor([this] { card.late = true; });
    auto answer = std::async(std::launch::async, [this] {
        return call(kRootPath, "Manager1", "Bootstrap", false, Options{});
    });
    const auto asked = [this] {
        bool is = false;
        on_reactor([&] { is = card.bootstraps == 2; });
        return is;
    };
    while (!asked()) {
        std::this_thread::yield();
    }
    reactor.stop(0);
    thread.join();
    // What a worker leaves behind: an answer that the loop does not come to any more.
    reactor.post([this] { card.answer_next(); });
    reactor.drain();
    mt.set_events({});
    EXPECT_EQ(answer.get(), "");
    bus.reset();
}

} // namespace
} // namespace mtkey::daemon
