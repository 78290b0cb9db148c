// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/program.hpp"

#include "base/file.hpp"
#include "base/random.hpp"
#include "http/server.hpp"
#include "network/bsf/authentication_centre.hpp"
#include "network/bsf/command_vectors.hpp"
#include "network/bsf/config.hpp"
#include "network/bsf/metrics.hpp"
#include "network/bsf/wire_faults.hpp"
#include "network/common/program.hpp"

#include <csignal>
#include <unistd.h>

namespace mtkey::bsf {
namespace {

constexpr timespec kPurgeInterval{.tv_sec = 5, .tv_nsec = 0};
constexpr unsigned kFaultySeconds = 3600; // an answer that is slow on purpose must not be cut off

/// The only line on stdout.
Result<void> say_ready(const http::Server& ub, const http::Server& zn,
                       const http::Server* metrics) {
    auto line = "{\"ready\":true,\"ub_port\":" + std::to_string(ub.port()) +
                ",\"zn_port\":" + std::to_string(zn.port());
    if (metrics != nullptr) {
        line += ",\"metrics_port\":" + std::to_string(metrics->port());
    }
    line += "}\n";
    return write_all(STDOUT_FILENO, as_octets(line));
}

Result<std::unique_ptr<Database>> open_database(const Config& config) {
    auto database = config.database.empty() ? Database::in_memory()
                                            : MTKEY_TRY(Database::open(config.database));
    if (!config.subscribers.empty()) {
        const auto list = MTKEY_TRY(aka::read_subscribers(config.subscribers));
        const auto imported = MTKEY_TRY(import_subscribers(*database, list));
        log(LogLevel::Info, "subscribers imported",
            {{"file", config.subscribers},
             {"added", static_cast<std::int64_t>(imported.added)},
             {"kept", static_cast<std::int64_t>(imported.kept)}});
    }
    return database;
}

Result<std::unique_ptr<VectorSource>> make_vectors(const Config& config, Database& database,
                                                   const Clock& clock, RandomSource& random) {
    const auto& faults = config.ub.faults;
    const bool old_sqn = faults.has(Fault::OldSqn) || faults.has(Fault::ResyncForever);
    if (config.av_command) {
        if (old_sqn) {
            return fail(Errc::InvalidArgument,
                        "--fault old-sqn and resync-forever need subscribers of our own, not "
                        "av_command");
        }
        return std::make_unique<CommandVectors>(*config.av_command);
    }
    auto centre = std::make_unique<AuthenticationCentre>(database, config.sqn, clock, random);
    if (old_sqn) {
        centre->issue_old_sqn(faults.has(Fault::ResyncForever));
    }
    return centre;
}

HttpResponse serve_metrics(const HttpRequest& request, const UbHandler& ub,
                           BootstrappingStore& store) {
    HttpResponse response;
    if (request.target != "/metrics" || request.method != "GET") {
        response.status = request.target == "/metrics" ? 405 : 404;
        return response;
    }
    const auto contexts = store.count();
    if (!contexts) {
        log_error("metrics", contexts.error());
        response.status = 503;
        return response;
    }
    response.headers.add("Content-Type", kMetricsType);
    response.body = write_metrics({.open_challenges = ub.open_challenges(), .contexts = *contexts});
    return response;
}

void warn(const Config& config) {
    if (config.zn_server.tls_settings.client_crl_file.empty()) {
        log(LogLevel::Warning, "revocation = \"none\": revoked certificates are let in on Zn");
    }
    if (config.ub.faults.any()) {
        log(LogLevel::Warning, "THIS BSF DOES WRONG ON PURPOSE (--fault): for tests of UEs only",
            {{"faults", config.ub.faults.names()}});
    }
}

Result<Config> configure(const Options& options) {
    auto config = MTKEY_TRY(read_config(options.config));
    config.ub.faults = options.faults;
    if (any_on_wire(options.faults)) {
        config.ub_server.shape = [faults = options.faults](const std::string& answer) {
            return shape_answer(faults, answer);
        };
        config.ub_server.request_seconds = kFaultySeconds;
    }
    return config;
}

} // namespace

Result<void> run(const Options& options, LogLevel level) {
    const auto end_signals = network::block_end_signals();
    set_log_level(level);
    MTKEY_CHECK(init_secure_heap());
    MTKEY_CHECK(network::use_steps_fd(options.steps_fd));

    const auto config = MTKEY_TRY(configure(options));
    warn(config);
    const SystemClock clock;
    SystemRandom random;
    const auto database = MTKEY_TRY(open_database(config));
    const auto subscribers = MTKEY_TRY(count_subscribers(*database));
    const auto vectors = MTKEY_TRY(make_vectors(config, *database, clock, random));
    BootstrappingStore store(*database, clock, MTKEY_TRY(boot_id()));
    MTKEY_CHECK(store.resume());
    UbHandler ub(config.ub, *vectors, store, clock, random);
    ZnHandler zn(config.naf_clients, store, clock);

    const auto ub_server = MTKEY_TRY(http::Server::create(
        config.ub_server, [&ub](const HttpRequest& request, const http::Peer& peer) {
            return ub.handle(request, peer.address);
        }));
    const auto zn_server = MTKEY_TRY(http::Server::create(
        config.zn_server, [&zn](const HttpRequest& request, const http::Peer& peer) {
            return zn.handle(request, peer);
        }));
    std::unique_ptr<http::Server> metrics_server;
    if (!config.metrics_listen.empty()) {
        http::ServerSettings settings;
        settings.listen = config.metrics_listen;
        settings.threads = 1;
        metrics_server = MTKEY_TRY(http::Server::create(
            std::move(settings), [&ub, &store](const HttpRequest& request, const http::Peer&) {
                return serve_metrics(request, ub, store);
            }));
        metrics_server->start();
    }
    ub_server->start();
    zn_server->start();
    log(LogLevel::Notice, "serving",
        {{"fqdn", config.ub.fqdn},
         {"subscribers", static_cast<std::int64_t>(subscribers)},
         {"database", config.database.empty() ? "in memory" : config.database},
         {"ub", config.ub_server.listen},
         {"ub_port", std::int64_t{ub_server->port()}},
         {"ub_tls", config.ub_server.tls ? "yes" : "no"},
         {"zn", config.zn_server.listen},
         {"zn_port", std::int64_t{zn_server->port()}}});
    MTKEY_CHECK(say_ready(*ub_server, *zn_server, metrics_server.get()));

    while (::sigtimedwait(&end_signals, nullptr, &kPurgeInterval) < 0) {
        ub.purge(); // keys leave memory and disk when they end, asked for or not
        if (const auto done = store.purge(); !done) {
            log_warning("expired contexts", done.error());
        }
    }
    ub_server->stop();
    zn_server->stop();
    if (metrics_server != nullptr) {
        metrics_server->stop();
    }
    MTKEY_CHECK(store.mark_time());
    log(LogLevel::Notice, "ended");
    return {};
}

} // namespace mtkey::bsf
