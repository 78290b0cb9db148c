// SPDX-License-Identifier: Apache-2.0
#include "aka/subscriber_file.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "testbed/virtual_uicc/card_file.hpp"
#include "testbed/virtual_uicc/vpcd.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

using namespace mtkey;

namespace {

struct Options {
    std::string card;
    std::string subscribers;
    std::string imsi;
    std::string host = "127.0.0.1";
    std::uint16_t port = 35963;
};

/// SIGTERM and SIGINT as a descriptor.
UniqueFd end_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    return UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC));
}

Result<testbed::Card> make_card(const Options& options) {
    testbed::CardFile file;
    if (!options.card.empty()) {
        file = MTKEY_TRY(testbed::read_card_file(options.card));
    }
    const std::string wanted = !options.imsi.empty() ? options.imsi : file.profile.imsi;
    auto subscribers = MTKEY_TRY(aka::read_subscribers(options.subscribers));
    const auto found = wanted.empty()
                           ? subscribers.begin()
                           : std::ranges::find(subscribers, wanted, &aka::Subscriber::imsi);
    if (found == subscribers.end()) {
        return fail(Errc::NotFound,
                    "IMSI " + masked_identity(wanted) + " in " + options.subscribers);
    }
    file.profile.imsi = found->imsi;
    if (!file.has_mnc_length) {
        file.profile.mnc_length = found->mnc_length;
    }
    log(LogLevel::Info, "card",
        {{"imsi", masked_identity(found->imsi)}, {"gba", file.profile.gba ? "yes" : "no"}});
    return testbed::Card::create(file.profile, std::move(found->algorithm),
                                 file.sqn.value_or(aka::Sqn{}));
}

Result<void> run(const Options& options) {
    MTKEY_CHECK(init_secure_heap());
    const UniqueFd end = end_signals();
    auto card = MTKEY_TRY(make_card(options));
    const UniqueFd connection = MTKEY_TRY(testbed::connect_vpcd(options.host, options.port));
    MTKEY_CHECK(write_all(STDOUT_FILENO, as_octets("{\"ready\":true}\n")));
    return testbed::serve_vpcd(connection.get(), end.get(), card);
}

} // namespace

int main(int argc, char** argv) {
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    CLI::App app{"virtual-uicc: a USIM with GBA_U in vsmartcard's virtual reader (vpcd). For tests "
                 "and demonstrations.\n"
                 "vpcd listens on all addresses: run it and this program in a network namespace of "
                 "their own."};
    app.footer("When the reader has taken the card, one line stands on stdout: {\"ready\":true}.");
    Options options;
    std::string level = "info";
    app.add_option("--card", options.card,
                   "what the card is made of (TOML); default: a USIM with GBA, PIN off");
    app.add_option("--subscribers", options.subscribers, "keys (TOML, mode 0600), the BSF's file")
        ->required();
    app.add_option("--imsi", options.imsi, "which subscriber; default: the card's, or the first");
    app.add_option("--host", options.host, "address of vpcd")->capture_default_str();
    app.add_option("--port", options.port, "port of vpcd")->capture_default_str();
    app.add_option("--log-level", level, "error, warning, notice, info or debug")
        ->capture_default_str();
    app.set_version_flag("--version", "virtual-uicc " MTKEY_VERSION);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : info(Errc::InvalidArgument).exit_status;
    }
    auto done = Result<void>();
    if (const auto chosen = parse_log_level(level)) {
        set_log_level(*chosen);
        done = run(options);
    } else {
        done = std::unexpected(chosen.error());
    }
    if (!done) {
        std::fprintf(stderr, "virtual-uicc: %s\n", describe(done.error()).c_str());
        return info(done.error().code).exit_status;
    }
    return 0;
}
