// SPDX-License-Identifier: Apache-2.0
// The daemon's objects on a bus of their own, with a polkit that says what the test wants.
#include "daemon/bus.hpp"

#include "daemon/bus_objects.hpp"
#include "unit/daemon/fake_card.hpp"
#include "unit/daemon/private_bus.hpp"

#include <gtest/gtest.h>
#include <systemd/sd-bus.h>

#include <atomic>
#include <fcntl.h>
#include <filesystem>
#include <future>
#include <iterator>
#include <mutex>
#include <sys/mman.h>
#include <thread>

namespace mtkey::daemon {
namespace {

using namespace std::chrono_literals;
using Answer = FakePolkit::Answer;
using Options = std::map<std::string, sdbus::Variant>;

const std::string kDevice = "urn:uuid:1";
constexpr const char* kInteractionRequired =
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired";
constexpr const char* kLimitsExceeded = "org.freedesktop.DBus.Error.LimitsExceeded";

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
        bus = Bus::create(reactor, mt, transports, *keeper, system.address, own_user).value();
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

    OwnUser own_user = OwnUser::AsksPolkit;
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

TEST_F(BusTest, StrangerThatMadeRoomIsGone) {
    const auto path = [](int number) {
        return device_path("urn:stranger:" + std::to_string(number));
    };
    std::mutex lock;
    std::vector<std::string> removed;
    const auto proxy = sdbus::createProxy(
        sdbus::createSessionBusConnectionWithAddress(system.address), "org.mtkeyd1", kRootPath);
    proxy->registerSignalHandler("org.freedesktop.DBus.ObjectManager", "InterfacesRemoved",
                                 [&](sdbus::Signal& signal) {
                                     sdbus::ObjectPath gone;
                                     signal >> gone;
                                     const std::lock_guard hold(lock);
                                     removed.push_back(gone);
                                 });
    proxy->finishRegistration();
    on_reactor([this] {
        for (int i = 0; i <= 32; ++i) {
            mt.meet("urn:stranger:" + std::to_string(i), "t0", "peer");
        }
    });
    constexpr const char* kDenied = "org.mtkeyd1.Error.NotAuthorized";
    EXPECT_EQ(call(path(1), "Device1", "Revoke", false), kDenied);
    EXPECT_EQ(call(path(32), "Device1", "Revoke", false), kDenied);
    EXPECT_EQ(call(path(0), "Device1", "Revoke", false),
              "org.freedesktop.DBus.Error.UnknownObject");
    on_reactor([this] { mt.meet("urn:stranger:0", "t0", "peer"); });
    EXPECT_EQ(call(path(0), "Device1", "Revoke", false), kDenied) << "it is back";
    const auto all_heard = [&] {
        const std::lock_guard hold(lock);
        return removed.size() >= 2;
    };
    for (int i = 0; i < 500 && !all_heard(); ++i) {
        std::this_thread::sleep_for(10ms);
    }
    const std::lock_guard hold(lock);
    EXPECT_EQ(removed, (std::vector{path(0), path(1)}));
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

/// They are flags of the caller's pipe: he can set them back before we read.
TEST_F(BusTest, PinPipeIsLeftAsItIs) {
    polkit->set(Answer::Yes);
    int pipe[2] = {-1, -1};
    ASSERT_EQ(::pipe(pipe), 0);
    ASSERT_EQ(::write(pipe[1], "1234", 4), 4);
    ::close(pipe[1]);
    EXPECT_EQ(call(kUiccPath, "Uicc1", "SendPin", false, sdbus::UnixFd(pipe[0]), Options{}), "");
    EXPECT_EQ(::fcntl(pipe[0], F_GETFL) & O_NONBLOCK, 0);
    ::close(pipe[0]);
}

TEST_F(BusTest, OpenPipesHoldSoManyThreadsAndNoReactor) {
    int pipe[2] = {-1, -1};
    ASSERT_EQ(::pipe(pipe), 0);
    std::optional<PinReader> pins;
    std::atomic<std::size_t> answers = 0;
    std::promise<void> all;
    on_reactor([&] {
        pins.emplace(reactor);
        for (std::size_t i = 0; i < PinReader::kThreads; ++i) {
            pins->read(UniqueFd(::dup(pipe[0])), [&](const auto& pin) {
                EXPECT_FALSE(pin);
                if (++answers == PinReader::kThreads) {
                    all.set_value();
                }
            });
        }
        std::optional<Errc> refused;
        pins->read(UniqueFd(::dup(pipe[0])), [&](const auto& pin) { refused = pin.error().code; });
        EXPECT_EQ(refused, Errc::LimitExceeded);
        const UniqueFd memory(::memfd_create("pin", MFD_CLOEXEC));
        ASSERT_EQ(::write(memory.get(), "4711", 4), 4);
        std::string read;
        pins->read(UniqueFd(::dup(memory.get())),
                   [&](const auto& pin) { read = as_text(pin.value().reveal()); });
        EXPECT_EQ(read, "4711") << "needs no thread, and not the caller's place in the file";
        UniqueFd file(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
        refused.reset();
        pins->read(std::move(file), [&](const auto& pin) { refused = pin.error().code; });
        EXPECT_EQ(refused, Errc::InvalidArgument) << "a file that may be anybody's";
        EXPECT_EQ(answers, 0U);
    });
    ASSERT_EQ(all.get_future().wait_for(20s), std::future_status::ready);
    ASSERT_EQ(::write(pipe[1], "1234", 4), 4);
    ::close(pipe[1]);
    std::promise<std::string> again;
    on_reactor([&] {
        pins->read(UniqueFd(pipe[0]), [&](const auto& pin) {
            again.set_value(pin ? std::string(as_text(pin->reveal())) : "");
        });
    });
    EXPECT_EQ(again.get_future().get(), "1234") << "the threads are free again";
    on_reactor([&] { pins.reset(); });
}

/// A client that does not wait for answers. Owns its connection.
class Stubborn {
public:
    explicit Stubborn(const std::string& address) {
        sd_bus_new(&bus_);
        sd_bus_set_address(bus_, address.c_str());
        sd_bus_set_bus_client(bus_, 1);
        sd_bus_negotiate_fds(bus_, 1);
        EXPECT_GE(sd_bus_start(bus_), 0);
    }
    ~Stubborn() { sd_bus_flush_close_unref(bus_); }
    Stubborn(const Stubborn&) = delete;
    Stubborn& operator=(const Stubborn&) = delete;

    template <typename Fill>
    void send(const char* path, const std::string& interface, const char* method, Fill fill) {
        sd_bus_message* message = nullptr;
        ASSERT_GE(sd_bus_message_new_method_call(bus_, &message, "org.mtkeyd1", path,
                                                 interface.c_str(), method),
                  0);
        fill(message);
        sd_bus_message_set_expect_reply(message, 0);
        sd_bus_send(bus_, message, nullptr);
        sd_bus_message_unref(message);
        sd_bus_flush(bus_);
    }

private:
    sd_bus* bus_ = nullptr;
};

std::ptrdiff_t open_descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
}

TEST_F(BusTest, FloodLeavesTheReactorItsTurns) {
    std::atomic<bool> stop = false;
    std::thread flood([&] {
        Stubborn client(system.address);
        while (!stop) {
            client.send(kRootPath, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects",
                        [](sd_bus_message*) {});
        }
    });
    std::this_thread::sleep_for(200ms);
    for (int i = 0; i < 25; ++i) {
        auto done = std::make_shared<std::promise<void>>();
        reactor.post([done] { done->set_value(); });
        const bool prompt = done->get_future().wait_for(2s) == std::future_status::ready;
        EXPECT_TRUE(prompt);
        if (!prompt) {
            break;
        }
        std::this_thread::sleep_for(10ms);
    }
    stop = true;
    flood.join();
    // Not while it lasts: then how long this waits is a matter of the bus, whose queue it stands
    // in.
    EXPECT_EQ(discard(), "org.mtkeyd1.Error.NotAuthorized") << "and others are answered";
}

TEST_F(BusTest, WhoCallsTooOftenIsTold) {
    const auto connection = sdbus::createSessionBusConnectionWithAddress(system.address);
    const auto proxy = sdbus::createProxy(*connection, "org.mtkeyd1", kRootPath);
    const auto cancel = [&] {
        auto message = proxy->createMethodCall("org.mtkeyd1.Manager1", "CancelBootstrap");
        try {
            proxy->callMethod(message, 20s);
            return std::string();
        } catch (const sdbus::Error& error) {
            return error.getName();
        }
    };
    EXPECT_EQ(cancel(), "org.mtkeyd1.Error.NotAuthorized");
    std::string name;
    for (int i = 0; i < 10'000 && name != kLimitsExceeded; ++i) {
        name = cancel();
    }
    EXPECT_EQ(name, kLimitsExceeded);
    EXPECT_EQ(discard(), "org.mtkeyd1.Error.NotAuthorized") << "not another one";
}

TEST_F(BusTest, CallsThatWaitForPolkitAreFewAndHoldLittle) {
    polkit->set(Answer::Wait);
    Stubborn client(system.address);
    const auto before = open_descriptors();
    for (int i = 0; i < 20; ++i) {
        client.send(kUiccPath, "org.mtkeyd1.Uicc1", "SendPin",
                    [](auto* message) { sd_bus_message_append(message, "ha{sv}", 0, 0); });
    }
    polkit->await_question();
    // Behind them all: the same user's, from another connection.
    EXPECT_EQ(discard(), kLimitsExceeded);
    on_reactor([] {});
    std::size_t questions = 0; // they are on their way: polkit has a thread of its own
    for (int i = 0; i < 500 && questions < 8; ++i) {
        questions += polkit->take().size();
        std::this_thread::sleep_for(10ms);
    }
    EXPECT_EQ(questions + polkit->take().size(), 8U);
    // One for each, and what the test's own connections have open for a moment.
    EXPECT_LE(open_descriptors() - before, 8 + 3);
}

TEST_F(BusTest, UnknownOptionsAreRefusedBeforeAnybodyIsAsked) {
    const Options options{{"x", sdbus::Variant(sdbus::UnixFd(0))}};
    constexpr const char* kInvalid = "org.freedesktop.DBus.Error.InvalidArgs";
    EXPECT_EQ(call(kRootPath, "Manager1", "Bootstrap", false, options), kInvalid);
    EXPECT_EQ(call(kRootPath, "Manager1", "ForgetDevice", false, kDevice, options), kInvalid);
    EXPECT_EQ(call(kUiccPath, "Uicc1", "SendPin", false, sdbus::UnixFd(0), options), kInvalid);
    EXPECT_TRUE(polkit->take().empty());
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

class OwnUserTest : public BusTest {
protected:
    OwnUserTest() { own_user = OwnUser::Passes; }
};

// Whose budget pays for it: with force, or a Discard before it, who sits at the console could have
// the network asked without an end.
TEST_F(BusTest, RunOfAUserIsHis) {
    polkit->set(Answer::Yes);
    const Options options{{"force", sdbus::Variant(true)}};
    EXPECT_EQ(call(kRootPath, "Manager1", "Bootstrap", false, options), "");
    on_reactor([this] {
        EXPECT_EQ(card.forced, 2U);
        EXPECT_EQ(card.last_asked_by, name_of_user(::geteuid()));
    });
}

TEST_F(OwnUserTest, IsTheAdministrator) {
    on_reactor([this] { card.last_asked_by = "somebody"; });
    EXPECT_EQ(call(kRootPath, "Manager1", "Bootstrap", false, Options{}), "");
    on_reactor([this] { EXPECT_EQ(card.last_asked_by, ""); });
    EXPECT_TRUE(polkit->take().empty());
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
