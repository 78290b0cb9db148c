// SPDX-License-Identifier: Apache-2.0
#include "network/nafkc/program.hpp"

#include "base/file.hpp"
#include "base/random.hpp"
#include "http/server.hpp"
#include "network/common/program.hpp"
#include "network/nafkc/config.hpp"
#include "network/nafkc/key_center.hpp"
#include "network/nafkc/zn_pool.hpp"

#include <csignal>
#include <sys/prctl.h>
#include <unistd.h>

namespace mtkey::nafkc {
namespace {

constexpr timespec kPurgeInterval{.tv_sec = 1, .tv_nsec = 0};

/// The only line on stdout.
Result<void> say_ready(std::uint16_t port) {
    const auto line = "{\"ready\":true,\"port\":" + std::to_string(port) + "}\n";
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
    if (!config.mt_id_secret_file.empty()) {
        config.key_center.mt_id_secret = MTKEY_TRY(read_mt_id_secret(config.mt_id_secret_file));
    } else {
        log(LogLevel::Warning,
            "no mt_id_secret_file: devices will not recognise the MTs after a restart");
    }
    if (config.server.tls_settings.client_crl_file.empty()) {
        log(LogLevel::Warning, "revocation = \"none\": revoked devices are let in");
    }
    for (auto& ca : config.key_center.device_cas) {
        ca.anchors = MTKEY_TRY(http::certificate_digests(ca.file));
    }
    const SystemClock clock;
    SystemRandom random;
    ZnPool zn(config.bsf, config.server.threads);
    const auto served = static_cast<std::int64_t>(config.key_center.nafs.size());
    const auto key_center = MTKEY_TRY(KeyCenter::create(
        std::move(config.key_center),
        [&zn](const HttpRequest& request) { return zn.exchange(request); }, clock, random));
    const auto server = MTKEY_TRY(http::Server::create(
        config.server, [&key_center](const HttpRequest& request, const http::Peer& peer) {
            return key_center->handle(request, peer);
        }));
    server->start();
    log(LogLevel::Notice, "serving",
        {{"naf_ids", served},
         {"listen", config.server.listen},
         {"port", std::int64_t{server->port()}},
         {"bsf", config.bsf.fqdn}});
    MTKEY_CHECK(say_ready(server->port()));

    while (::sigtimedwait(&end_signals, nullptr, &kPurgeInterval) < 0) {
        key_center->purge();
    }
    zn.close();
    server->stop();
    log(LogLevel::Notice, "ended");
    return {};
}

} // namespace mtkey::nafkc
