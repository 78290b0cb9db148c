// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fakes/raw_tcp.hpp"
#include "gba/bootstrapping.hpp"
#include "http/client.hpp"
#include "integration/parties.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <openssl/ssl.h>
#include <optional>
#include <string>
#include <vector>

namespace mtkey::integration {

/// One accepted connection of a BSF, with TLS or without. Borrows both.
class Wire {
public:
    Wire(UniqueFd& fd, SSL* ssl) : fd_(fd), ssl_(ssl) {}
    bool send(std::string_view text);
    /// One request's header, or what came until the peer ended.
    [[nodiscard]] std::string receive();
    /// Until the peer has had enough.
    void wait() { (void)fakes::raw_ended(fd_.get(), 20'000); }
    void reset() { fakes::raw_reset(fd_); }
    void end() { fd_.reset(); } ///< over TLS: without close_notify

private:
    UniqueFd& fd_;
    SSL* ssl_;
};

/// One answer on its way out; what is said with it is the misbehaviour.
struct Turn {
    Wire& wire;
    int exchange;          ///< of the run, from 0: the one before which the card is asked is 0
    HttpRequest request;   ///< as it came
    HttpResponse response; ///< what a good BSF would say
    [[nodiscard]] std::string text() const; ///< the same as octets
};
/// False: the connection is over.
using Act = std::function<bool(Turn&)>;
bool say(Turn& turn); ///< what a good BSF does

/// UICC and BSF of the worked example's subscriber, the real client and sockets between them, and
/// somebody on the BSF's side who does as the test likes. A rig goes on through any number of runs,
/// as a daemon would with one card.
class HostileRig {
public:
    explicit HostileRig(const std::string& mode = "gba-u", bool card_has_gba = true);
    ~HostileRig();
    HostileRig(const HostileRig&) = delete;
    HostileRig& operator=(const HostileRig&) = delete;

    /// How a connection is treated, before anything of it is read; null = read on.
    using Welcome = std::function<bool(Wire&)>;
    struct Setting {
        Act act{};
        Welcome welcome{};
        SSL_CTX* tls = nullptr; ///< the server's; borrowed
        http::ClientSettings client{};
    };
    struct Outcome {
        Result<gba::Context> context;
        unsigned authenticates = 0; ///< bootstrapping ones, counted at the card
        unsigned updates = 0;       ///< UPDATE BINARY
        unsigned connections = 0;
        std::chrono::milliseconds took{};
    };
    /// A run against a BSF that acts like this.
    Outcome run(Setting setting);
    /// The next run, with a good BSF: it must succeed, and its keys be the BSF's.
    void expect_recovery();
    /// With nobody at the address.
    Outcome run_against_nobody();

    gba::RunSettings settings;
    gba::UbMemory memory;
    fakes::ManualClock clock{"2029-12-31T12:00:00Z"};
    fakes::ManualClock bsf_clock{"2029-12-31T12:00:00Z"};
    /// Challenges that a good BSF has sent and the card has used up.
    std::vector<HttpResponse> used_challenges;
    /// The card's sequence numbers run ahead of the network's.
    void desynchronise();
    static const std::string& fqdn();

private:
    class Contacts;
    void serve(UniqueFd& fd, const Setting& setting, int& exchange);
    Outcome run_at(const std::string& address, const Setting& setting);
    void expect_right_keys(gba::Context& context);

    SystemRandom random_;
    bsf::AuthenticationCentre centre_;
    bsf::BootstrappingStore store_;
    bsf::UbHandler ub_;
    testbed::Card card_;
    std::unique_ptr<Contacts> contacts_;
    std::unique_ptr<uicc::MappedChannel> channel_;
};

} // namespace mtkey::integration
