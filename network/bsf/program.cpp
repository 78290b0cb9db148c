// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/program.hpp"

#include "aka/subscriber_file.hpp"
#include "base/file.hpp"
#include "base/random.hpp"
#include "http/server.hpp"
#include "network/bsf/authentication_centre.hpp"
#include "network/bsf/bootstrapping_store.hpp"
#include "network/bsf/config.hpp"
#include "network/bsf/ub_handler.hpp"
#include "network/bsf/zn_handler.hpp"
#include "network/common/program.hpp"

#include <csignal>
#include <sys/prctl.h>
#include <unistd.h>

namespace mtkey::bsf {
namespace {

constexpr timespec kPurgeInterval{.tv_sec = 30, .tv_nsec = 0};

/// The only line on stdout.
Result<void> say_ready(std::uint16_t ub_port, std::uint16_t zn_port) {
    const auto line = "{\"ready\":true,\"ub_port\":" + std::to_string(ub_port) +
                      ",\"zn_port\":" + std::to_string(zn_port) + "}\n";
    return write_all(STDOUT_FILENO, as_octets(line));
}

} // namespace

Result<void> run(const Options& options, LogLevel level) {
    const auto end_signals = network::block_end_signals();
    ::prctl(PR_SET_DUMPABLE, 0);
    set_log_level(level);
    MTKEY_CHECK(init_secure_heap());
    MTKEY_CHECK(network::use_steps_fd(options.steps_fd));

    auto config = MTKEY_TRY(read_config(options.config));
    if (config.zn_server.tls_settings.client_crl_file.empty()) {
        log(LogLevel::Warning, "revocation = \"none\": revoked certificates are let in on Zn");
    }
    const SystemClock clock;
    SystemRandom random;
    AuthenticationCentre centre(MTKEY_TRY(aka::read_subscribers(config.subscribers)), random);
    BootstrappingStore store(clock);
    UbHandler ub(config.ub, centre, store, clock, random);
    ZnHandler zn(config.naf_clients, store, clock);

    const auto ub_server = MTKEY_TRY(http::Server::create(
        config.ub_server,
        [&ub](const HttpRequest& request, const http::Peer&) { return ub.handle(request); }));
    const auto zn_server = MTKEY_TRY(http::Server::create(
        config.zn_server, [&zn](const HttpRequest& request, const http::Peer& peer) {
            return zn.handle(request, peer);
        }));
    ub_server->start();
    zn_server->start();
    log(LogLevel::Notice, "serving",
        {{"fqdn", config.ub.fqdn},
         {"subscribers", static_cast<std::int64_t>(centre.size())},
         {"ub", config.ub_server.listen},
         {"ub_port", std::int64_t{ub_server->port()}},
         {"ub_tls", config.ub_server.tls ? "yes" : "no"},
         {"zn", config.zn_server.listen},
         {"zn_port", std::int64_t{zn_server->port()}}});
    MTKEY_CHECK(say_ready(ub_server->port(), zn_server->port()));

    while (::sigtimedwait(&end_signals, nullptr, &kPurgeInterval) < 0) {
        store.purge(); // keys leave memory when they end, asked for or not
        ub.purge();
    }
    ub_server->stop();
    zn_server->stop();
    log(LogLevel::Notice, "ended");
    return {};
}

} // namespace mtkey::bsf
