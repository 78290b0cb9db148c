// SPDX-License-Identifier: Apache-2.0
#include "base/file.hpp"
#include "base/log.hpp"
#include "testbed/virtual_modem/serve.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <sys/prctl.h>
#include <unistd.h>

using namespace mtkey;

namespace {

struct Options {
    testbed::CardSource source;
    std::string modem;
    std::string link;
    std::string control;
};

Result<void> run(const Options& options) {
    MTKEY_CHECK(init_secure_heap());
    const auto profile = MTKEY_TRY(testbed::read_modem_file(options.modem));
    testbed::Slot slot(options.source);
    MTKEY_CHECK(slot.insert());
    auto station = MTKEY_TRY(testbed::Station::create(slot, options.control));
    testbed::Modem modem(profile, slot);
    return testbed::serve_modem(station, modem, profile, options.link, [](const std::string& path) {
        return write_all(STDOUT_FILENO, as_octets("{\"ready\":true,\"tty\":\"" + path + "\"}\n"));
    });
}

} // namespace

int main(int argc, char** argv) {
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    CLI::App app{"virtual-modem: a modem with a virtual UICC on a pseudo terminal, for tests of AT "
                 "commands. testbed/virtual_modem/README.md has the rest."};
    app.footer("Each time it has a terminal, one line stands on stdout: "
               "{\"ready\":true,\"tty\":\"PATH\"}.");
    Options options;
    std::string level = "info";
    app.add_option("--card", options.source.card,
                   "what the card is made of (TOML); default: a USIM with GBA, PIN off");
    app.add_option("--subscribers", options.source.subscribers,
                   "keys (TOML, mode 0600), the BSF's file; not needed when the card has [key]");
    app.add_option("--imsi", options.source.imsi,
                   "which subscriber; default: the card's, or the first");
    app.add_option("--modem", options.modem, "how the modem speaks (TOML)");
    app.add_option("--link", options.link, "symbolic link to keep at the terminal of the moment");
    app.add_option("--control", options.control, "socket for control lines");
    app.add_option("--log-level", level, "error, warning, notice, info or debug")
        ->capture_default_str();
    app.set_version_flag("--version", "virtual-modem " MTKEY_VERSION);
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
        std::fprintf(stderr, "virtual-modem: %s\n", describe(done.error()).c_str());
        return info(done.error().code).exit_status;
    }
    return 0;
}
