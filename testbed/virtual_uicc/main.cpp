// SPDX-License-Identifier: Apache-2.0
#include "base/file.hpp"
#include "base/log.hpp"
#include "testbed/virtual_uicc/vpcd.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <sys/prctl.h>
#include <unistd.h>

using namespace mtkey;

namespace {

struct Options {
    testbed::CardSource source;
    std::string host = "127.0.0.1";
    std::uint16_t port = 35963;
    std::string control;
};

Result<void> run(const Options& options) {
    MTKEY_CHECK(init_secure_heap());
    testbed::Slot slot(options.source);
    MTKEY_CHECK(slot.insert());
    auto station = MTKEY_TRY(testbed::Station::create(slot, options.control));
    testbed::VpcdClient reader(options.host, options.port);
    return reader.run(station, slot,
                      [] { return write_all(STDOUT_FILENO, as_octets("{\"ready\":true}\n")); });
}

} // namespace

int main(int argc, char** argv) {
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    CLI::App app{"virtual-uicc: a UICC with GBA_U in vsmartcard's virtual reader (vpcd). For tests "
                 "and demonstrations.\n"
                 "vpcd listens on all addresses: run it and this program in a network namespace of "
                 "their own."};
    app.footer("When the reader has taken the card, one line stands on stdout: {\"ready\":true}.");
    Options options;
    std::string level = "info";
    app.add_option("--card", options.source.card,
                   "what the card is made of (TOML); default: a USIM with GBA, PIN off");
    app.add_option("--subscribers", options.source.subscribers,
                   "keys (TOML, mode 0600), the BSF's file; not needed when the card has [key]");
    app.add_option("--imsi", options.source.imsi,
                   "which subscriber; default: the card's, or the first");
    app.add_option("--host", options.host, "address of vpcd")->capture_default_str();
    app.add_option("--port", options.port, "port of vpcd")->capture_default_str();
    app.add_option("--control", options.control, "socket for control lines (README.md)");
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
