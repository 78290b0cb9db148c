// SPDX-License-Identifier: Apache-2.0
#include "http/client.hpp"

#include "fakes/raw_tcp.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <condition_variable>
#include <mutex>

namespace {

/// A name server that does not answer: lookups of "hang.test" end when the test says so.
struct Hang {
    std::mutex mutex;
    std::condition_variable changed;
    int waiting = 0;
    bool released = false;
};
Hang& hang() {
    static Hang* const instance = new Hang; // outlives the threads that are left behind
    return *instance;
}

} // namespace

extern "C" __attribute__((visibility("default"))) int
getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result) {
    if (node != nullptr && std::string_view(node) == "hang.test" &&
        (hints->ai_flags & AI_NUMERICHOST) == 0) {
        std::unique_lock lock(hang().mutex);
        ++hang().waiting;
        hang().changed.notify_all();
        hang().changed.wait(lock, [] { return hang().released; });
        --hang().waiting;
        hang().changed.notify_all();
        return EAI_NONAME;
    }
    if (node != nullptr && std::string_view(node) == "two.test") {
        node = "127.0.0.2"; // and behind it, below, 127.0.0.1
    }
    using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
    static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
    const int code = real(node, service, hints, result);
    if (code == 0 && node != nullptr && std::string_view(node) == "127.0.0.2") {
        return real("127.0.0.1", service, hints, &(*result)->ai_next);
    }
    return code;
}

namespace mtkey::http {
namespace {

using fakes::raw_receive;
using fakes::raw_reset;
using fakes::raw_send;
using fakes::RawServer;
using namespace std::chrono_literals;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::string_view kEnd = "\r\n\r\n";

ClientSettings settings_for(const std::string& address) {
    ClientSettings settings;
    settings.fqdn = "bsf.example.org";
    settings.address = address;
    settings.unreachable = Errc::BsfUnreachable;
    return settings;
}

/// Answers every request of a connection the same way.
RawServer::Script always(std::string answer) {
    return [answer = std::move(answer)](UniqueFd& fd, int) {
        while (!raw_receive(fd.get(), kEnd).empty() && raw_send(fd.get(), answer)) {
        }
    };
}

TEST(Client, SendsTheNameAndKeepsTheConnection) {
    std::string seen;
    RawServer server([&](UniqueFd& fd, int) {
        for (auto text = raw_receive(fd.get(), kEnd); !text.empty();
             text = raw_receive(fd.get(), kEnd)) {
            seen += text;
            raw_send(fd.get(), kOk);
        }
    });
    {
        Client client(settings_for(server.address()));
        HttpRequest request;
        request.headers.add("X-Test", "yes");
        for (int i = 0; i < 3; ++i) {
            const auto response = client.exchange(request);
            ASSERT_TRUE(response) << describe(response.error());
            EXPECT_EQ(response->status, 200U);
            EXPECT_EQ(response->body, "ok");
        }
        EXPECT_FALSE(client.authenticated());
        EXPECT_EQ(client.fqdn(), "bsf.example.org");
        EXPECT_EQ(server.connections(), 1);
    }
    EXPECT_TRUE(seen.starts_with("GET / HTTP/1.1\r\nHost: bsf.example.org\r\nX-Test: yes\r\n"))
        << seen;
    EXPECT_NE(seen.find("Accept-Encoding: identity\r\n"), std::string::npos);
}

// RFC 9110 section 7.2: the authority of the URI. Where we connect instead is not part of it.
TEST(Client, HostHasThePortOfTheUriUnlessItIsTheSchemes) {
    std::string seen;
    RawServer server([&](UniqueFd& fd, int) {
        seen = raw_receive(fd.get(), kEnd);
        raw_send(fd.get(), kOk);
    });
    const auto host_with = [&](std::uint16_t port) {
        auto settings = settings_for(server.address());
        settings.port = port;
        EXPECT_TRUE(Client(settings).exchange({}));
        const auto begin = seen.find("Host: ") + 6;
        return seen.substr(begin, seen.find("\r\n", begin) - begin);
    };
    EXPECT_EQ(host_with(0), "bsf.example.org");
    EXPECT_EQ(host_with(80), "bsf.example.org");
    EXPECT_EQ(host_with(443), "bsf.example.org:443") << "not the one of http";
    EXPECT_EQ(host_with(8080), "bsf.example.org:8080");

    // Without an address it is where we connect, too.
    auto settings = settings_for("");
    settings.fqdn = "127.0.0.1"; // not every system knows "localhost"
    const auto [ip, port] = parse_address(server.address(), 0).value();
    settings.port = port;
    EXPECT_TRUE(Client(settings).exchange({}));
    EXPECT_NE(seen.find("Host: 127.0.0.1:" + std::to_string(port) + "\r\n"), std::string::npos)
        << seen;
}

TEST(Client, ConnectsAnewWhenTheServerSaysClose) {
    RawServer server(always("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
    Client client(settings_for(server.address()));
    EXPECT_TRUE(client.exchange({}));
    EXPECT_TRUE(client.exchange({}));
    EXPECT_EQ(server.connections(), 2);
}

TEST(Client, FollowsNoRedirect) {
    RawServer server(
        always("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"));
    Client client(settings_for(server.address()));
    const auto response = client.exchange({});
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 302U);
}

TEST(Client, IgnoresTheProxyOfTheEnvironment) {
    ::setenv("http_proxy", "http://127.0.0.1:1", 1);
    RawServer server(always(std::string(kOk)));
    Client client(settings_for(server.address()));
    EXPECT_TRUE(client.exchange({}));
    ::unsetenv("http_proxy");
}

TEST(Client, ReconnectsOnceWhenAKeptConnectionIsDead) {
    for (const bool reset : {false, true}) {
        // Each connection answers one request, swallows the next one and ends.
        RawServer server([reset](UniqueFd& fd, int) {
            raw_receive(fd.get(), kEnd);
            raw_send(fd.get(), kOk);
            raw_receive(fd.get(), kEnd);
            if (reset) {
                raw_reset(fd);
            }
        });
        Client client(settings_for(server.address()));
        EXPECT_TRUE(client.exchange({}));
        const auto second = client.exchange({});
        EXPECT_TRUE(second) << describe(second.error());
        EXPECT_EQ(server.connections(), 2);
    }
}

// Whoever must not have anything repeated is told that a repetition might help, and decides.
TEST(Client, LeavesItToTheCallerWhatIsNotRepeatable) {
    HttpRequest once;
    once.repeatable = false;
    for (const bool kept : {false, true}) {
        RawServer server([kept](UniqueFd& fd, int) {
            raw_receive(fd.get(), kEnd);
            if (kept) {
                raw_send(fd.get(), kOk);
                raw_receive(fd.get(), kEnd);
            }
        });
        auto settings = settings_for(server.address());
        settings.retries = 3;
        settings.retry_pause = 1ms;
        Client client(settings);
        if (kept) {
            EXPECT_TRUE(client.exchange(once));
        }
        const auto response = client.exchange(once);
        ASSERT_FALSE(response);
        EXPECT_EQ(response.error().code, kept ? Errc::LinkLost : Errc::BsfUnreachable);
        EXPECT_EQ(server.connections(), 1);
    }
}

TEST(Client, TriesAgainAsOftenAsItMay) {
    for (const unsigned retries : {0U, 1U, 3U}) {
        RawServer server([](UniqueFd& fd, int number) {
            raw_receive(fd.get(), kEnd);
            if (number >= 2) {
                raw_send(fd.get(), kOk);
            }
        });
        auto settings = settings_for(server.address());
        settings.retries = retries;
        settings.retry_pause = 1ms;
        EXPECT_EQ(Client(settings).exchange({}).has_value(), retries >= 2);
        EXPECT_EQ(server.connections(), std::min(static_cast<int>(retries), 2) + 1);
    }
}

// What is no passing trouble is not tried again: an answer of nonsense, one that is too large, a
// peer that is silent, a status.
TEST(Client, DoesNotTryAgainWhatWillNotChange) {
    for (const char* answer : {"nonsense\r\n\r\n", "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n",
                               "HTTP/1.1 200 x\r\nContent-Length: 99999999\r\n\r\n", ""}) {
        RawServer server([answer](UniqueFd& fd, int) {
            raw_receive(fd.get(), kEnd);
            raw_send(fd.get(), answer);
            raw_receive(fd.get());
        });
        auto settings = settings_for(server.address());
        settings.retries = 3;
        settings.retry_pause = 1ms;
        settings.exchange_timeout = 500ms;
        (void)Client(settings).exchange({});
        EXPECT_EQ(server.connections(), 1) << answer;
    }
}

TEST(Client, CancelEndsAPause) {
    std::mutex mutex;
    std::condition_variable changed;
    bool ended = false;
    RawServer server([&](UniqueFd& fd, int) {
        raw_receive(fd.get(), kEnd);
        fd.reset();
        const std::lock_guard lock(mutex);
        ended = true;
        changed.notify_all();
    });
    auto settings = settings_for(server.address());
    settings.retries = 3;
    settings.retry_pause = 20s;
    settings.exchange_timeout = 60s;
    Client client(settings);
    const auto start = std::chrono::steady_clock::now();
    std::thread canceller([&] {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return ended; });
        client.cancel();
    });
    const auto response = client.exchange({});
    canceller.join();
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::Cancelled);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
    EXPECT_EQ(server.connections(), 1);
}

TEST(Client, NeverRepeatsOnAFreshConnection) {
    RawServer server([](UniqueFd& fd, int) { raw_receive(fd.get(), kEnd); });
    Client client(settings_for(server.address()));
    const auto response = client.exchange({});
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::BsfUnreachable);
    EXPECT_EQ(server.connections(), 1);
}

TEST(Client, NeverRepeatsAfterAnOctetOfAnAnswer) {
    RawServer server([](UniqueFd& fd, int number) {
        raw_receive(fd.get(), kEnd);
        raw_send(fd.get(), kOk);
        if (number == 0) {
            raw_receive(fd.get(), kEnd);
            raw_send(fd.get(), "H");
        }
    });
    Client client(settings_for(server.address()));
    EXPECT_TRUE(client.exchange({}));
    const auto second = client.exchange({});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::BsfUnreachable);
    EXPECT_EQ(server.connections(), 1);
    EXPECT_TRUE(client.exchange({})) << "the next run must not suffer";
}

TEST(Client, DropsAnAnswerThatNobodyAskedFor) {
    std::mutex mutex;
    std::condition_variable changed;
    bool sent = false;
    RawServer server([&](UniqueFd& fd, int number) {
        raw_receive(fd.get(), kEnd);
        raw_send(fd.get(), kOk);
        if (number == 0) {
            raw_send(fd.get(), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
            const std::lock_guard lock(mutex);
            sent = true;
            changed.notify_all();
        }
        raw_receive(fd.get(), kEnd);
    });
    Client client(settings_for(server.address()));
    EXPECT_EQ(client.exchange({})->body, "ok");
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return sent; });
    const auto second = client.exchange({});
    ASSERT_TRUE(second);
    EXPECT_EQ(second->body, "ok");
}

// Threat N5: the connection breaks at every octet of the answer, by a regular end and by a reset.
TEST(Client, SurvivesTheEndOfTheConnectionAtEveryOctet) {
    const std::string answer =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    for (const bool reset : {false, true}) {
        std::size_t length = 0;
        RawServer server([&](UniqueFd& fd, int number) {
            raw_receive(fd.get(), kEnd);
            if (number % 2 == 1) {
                raw_send(fd.get(), answer);
                return;
            }
            raw_send(fd.get(), std::string_view(answer).substr(0, length));
            if (reset) {
                raw_reset(fd);
            }
        });
        for (length = 0; length < answer.size(); ++length) {
            Client client(settings_for(server.address()));
            const auto broken = client.exchange({});
            ASSERT_FALSE(broken) << length;
            EXPECT_EQ(broken.error().code, Errc::BsfUnreachable)
                << length << describe(broken.error());
            const auto whole = client.exchange({});
            ASSERT_TRUE(whole) << length << describe(whole.error());
            EXPECT_EQ(whole->body, "ok");
        }
    }
}

TEST(Client, TellsBadAnswersApart) {
    for (const auto& [answer, code] :
         {std::pair(std::string("SSH-2.0-x\r\n\r\n"), Errc::Malformed),
          std::pair(
              std::string(
                  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
              Errc::Malformed),
          std::pair(
              std::string("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"),
              Errc::Malformed),
          std::pair(
              std::string(
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n"),
              Errc::LimitExceeded),
          std::pair("HTTP/1.1 200 OK\r\nX: " + std::string(1 << 20, 'x') + "\r\n\r\n",
                    Errc::LimitExceeded),
          std::pair("HTTP/1.1 200 OK\r\n\r\n" + std::string(1 << 20, 'x'), Errc::LimitExceeded)}) {
        RawServer server(always(answer));
        Client client(settings_for(server.address()));
        const auto response = client.exchange({});
        ASSERT_FALSE(response);
        EXPECT_EQ(response.error().code, code) << answer.substr(0, 100);
    }
}

TEST(Client, OneOctetNowAndThenBuysNoTime) {
    RawServer server([](UniqueFd& fd, int) {
        raw_receive(fd.get(), kEnd);
        // Ends with the client's patience: a send into the closed connection fails.
        while (raw_send(fd.get(), "H")) {
            if (!raw_receive(fd.get(), "", 20).empty()) {
                break;
            }
            char octet = 0;
            if (::recv(fd.get(), &octet, 1, MSG_DONTWAIT) == 0) {
                break;
            }
        }
    });
    auto settings = settings_for(server.address());
    settings.exchange_timeout = 200ms;
    settings.header_limit = 1 << 20;
    Client client(std::move(settings));
    const auto start = std::chrono::steady_clock::now();
    const auto response = client.exchange({});
    const auto took = std::chrono::steady_clock::now() - start;
    ASSERT_FALSE(response);
    // "HHHH" is no HTTP: the fifth octet may be recognised first.
    EXPECT_TRUE(response.error().code == Errc::BsfUnreachable ||
                response.error().code == Errc::Malformed);
    EXPECT_LT(took, 5s);
}

TEST(Client, ASlowBodyBuysNoTime) {
    RawServer server([](UniqueFd& fd, int) {
        raw_receive(fd.get(), kEnd);
        raw_send(fd.get(), "HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n");
        char octet = 0;
        pollfd one{fd.get(), POLLIN, 0};
        while (raw_send(fd.get(), "x") && ::poll(&one, 1, 20) == 0) {
        }
        static_cast<void>(::recv(fd.get(), &octet, 1, MSG_DONTWAIT));
    });
    auto settings = settings_for(server.address());
    settings.exchange_timeout = 200ms;
    Client client(std::move(settings));
    const auto start = std::chrono::steady_clock::now();
    const auto response = client.exchange({});
    const auto took = std::chrono::steady_clock::now() - start;
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::BsfUnreachable);
    EXPECT_GE(took, 200ms);
    EXPECT_LT(took, 5s);
}

TEST(Client, CancelEndsAnExchange) {
    std::mutex mutex;
    std::condition_variable changed;
    bool asked = false;
    RawServer server([&](UniqueFd& fd, int) {
        raw_receive(fd.get(), kEnd);
        {
            const std::lock_guard lock(mutex);
            asked = true;
            changed.notify_all();
        }
        raw_receive(fd.get(), kEnd);
    });
    Client client(settings_for(server.address()));
    std::thread canceller([&] {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return asked; });
        client.cancel();
    });
    const auto response = client.exchange({});
    canceller.join();
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::Cancelled);
    EXPECT_EQ(client.exchange({}).error().code, Errc::Cancelled) << "for good";
}

TEST(Client, CancelBetweenExchangesIsNotLost) {
    RawServer server(always(std::string(kOk)));
    Client client(settings_for(server.address()));
    ASSERT_TRUE(client.exchange({}));
    client.cancel();
    EXPECT_EQ(client.exchange({}).error().code, Errc::Cancelled);
    Client early(settings_for(server.address()));
    early.cancel();
    EXPECT_EQ(early.connect().error().code, Errc::Cancelled);
}

TEST(Client, NobodyThere) {
    std::uint16_t port = 0;
    {
        RawServer gone([](UniqueFd&, int) {});
        port = gone.port();
    }
    Client client(settings_for("127.0.0.1:" + std::to_string(port)));
    const auto response = client.exchange({});
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::BsfUnreachable);
    EXPECT_EQ(response.error().detail, static_cast<std::uint32_t>(ECONNREFUSED));
    EXPECT_EQ(client.connect().error().code, Errc::BsfUnreachable);

    Client nonsense(settings_for("not an address"));
    EXPECT_EQ(nonsense.exchange({}).error().code, Errc::InvalidArgument);
}

TEST(Client, BindsToALocalAddress) {
    RawServer server(always(std::string(kOk)));
    auto settings = settings_for(server.address());
    settings.local_address = "127.0.0.3";
    EXPECT_TRUE(Client(settings).exchange({}));
    settings.local_address = "::1";
    EXPECT_EQ(Client(settings).exchange({}).error().code, Errc::BsfUnreachable);
    settings.local_address = "wlan0";
    EXPECT_EQ(Client(settings).exchange({}).error().code, Errc::ConfigInvalid);
}

TEST(Client, UsesOneInterface) {
    RawServer server(always(std::string(kOk)));
    auto settings = settings_for(server.address());
    settings.interface = "lo";
    const auto response = Client(settings).exchange({});
    EXPECT_TRUE(response) << describe(response.error());
    settings.interface = "nosuch0";
    const auto error = Client(settings).exchange({}).error();
    EXPECT_EQ(error.code, Errc::BsfUnreachable);
    EXPECT_NE(error.context.find("interface nosuch0"), std::string::npos) << error.context;
    EXPECT_EQ(error.detail, static_cast<std::uint32_t>(ENODEV));
    EXPECT_EQ(server.connections(), 1);
}

/// Listens on 127.0.0.2 and lets nobody in: its queue is full, the kernel drops what comes.
class SilentAddress {
public:
    explicit SilentAddress(std::uint16_t port) {
        auto address = fakes::loopback(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
        const auto* const name = reinterpret_cast<const sockaddr*>(&address);
        EXPECT_EQ(::bind(listener_.get(), name, sizeof address), 0);
        EXPECT_EQ(::listen(listener_.get(), 0), 0);
        for (auto& fd : queue_) {
            fd = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
            static_cast<void>(::connect(fd.get(), name, sizeof address));
        }
    }

private:
    UniqueFd listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    std::array<UniqueFd, 4> queue_;
};

TEST(Client, ASilentAddressLeavesTimeForTheNext) {
    RawServer server(always(std::string(kOk)));
    const SilentAddress silent(server.port());
    auto settings = settings_for("two.test:" + std::to_string(server.port()));
    settings.connect_timeout = 600ms;
    const auto start = std::chrono::steady_clock::now();
    const auto response = Client(settings).exchange({});
    EXPECT_TRUE(response) << describe(response.error());
    EXPECT_GE(std::chrono::steady_clock::now() - start, 300ms) << "the first one did answer";
}

TEST(Client, AllExchangesOfARunHaveOneDeadline) {
    RawServer server([](UniqueFd& fd, int) {
        raw_receive(fd.get(), kEnd);
        raw_send(fd.get(), kOk);
        raw_receive(fd.get(), kEnd);
        raw_receive(fd.get());
    });
    auto settings = settings_for(server.address());
    settings.run_timeout = 300ms;
    Client client(settings);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(client.exchange({}));
    for (int i = 0; i < 3; ++i) { // the time is up: no later one starts anew
        const auto response = client.exchange({});
        ASSERT_FALSE(response);
        EXPECT_EQ(response.error().code, Errc::BsfUnreachable);
    }
    EXPECT_FALSE(client.connect());
    const auto took = std::chrono::steady_clock::now() - start;
    EXPECT_GE(took, 300ms);
    EXPECT_LT(took, 5s);
}

TEST(Client, NeverWaitsForTheResolver) {
    auto settings = settings_for("hang.test:80");
    settings.connect_timeout = 50ms;
    const auto start = std::chrono::steady_clock::now();
    const auto response = Client(settings).exchange({});
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::BsfUnreachable);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);

    settings.connect_timeout = 60s;
    Client cancelled(settings);
    std::thread canceller([&] {
        std::unique_lock lock(hang().mutex);
        hang().changed.wait(lock, [] { return hang().waiting >= 2; });
        lock.unlock();
        cancelled.cancel();
    });
    const auto second = cancelled.exchange({});
    canceller.join();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::Cancelled);

    // The threads that are left behind are counted: the ninth lookup is refused at once.
    settings.connect_timeout = 1ms;
    for (int i = 0; i < 6; ++i) {
        EXPECT_FALSE(Client(settings).exchange({}));
    }
    settings.connect_timeout = 60s;
    const auto ninth = std::chrono::steady_clock::now();
    EXPECT_FALSE(Client(settings).exchange({}));
    EXPECT_LT(std::chrono::steady_clock::now() - ninth, 5s);

    std::unique_lock lock(hang().mutex);
    hang().released = true;
    hang().changed.notify_all();
    hang().changed.wait(lock, [] { return hang().waiting == 0; });
}

} // namespace
} // namespace mtkey::http
