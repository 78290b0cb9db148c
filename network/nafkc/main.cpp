// SPDX-License-Identifier: Apache-2.0
#include "network/nafkc/program.hpp"

#include "base/log.hpp"
#include "base/memory.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>

int main(int argc, char** argv) {
    mtkey::end_without_memory();
    CLI::App app{
        "mtkey-nafkc: NAF Key Center (draft TS 33.259). Gives external devices Ks_local_MT over "
        "mutual TLS,\n"
        "with keys that it asks of the BSF over Zn (TS 29.309). For laboratories and tests."};
    app.set_version_flag("--version", "mtkey-nafkc " MTKEY_VERSION);
    mtkey::nafkc::Options options;
    std::string level = "info";
    app.add_option("--config", options.config, "configuration (TOML)")
        ->required()
        ->type_name("FILE");
    app.add_option("--steps-fd", options.steps_fd,
                   "write steps as JSON lines to this inherited descriptor")
        ->type_name("N")
        ->check(CLI::Range(3, 1'000'000));
    app.add_option("--log-level", level, "error, warning, notice, info or debug")
        ->capture_default_str();
    app.footer("When it serves, one line stands on stdout: {\"ready\":true,\"port\":N}.\n"
               "SIGTERM or SIGINT ends it with status 0; a wrong configuration with status 2.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : mtkey::info(mtkey::Errc::InvalidArgument).exit_status;
    }
    const auto chosen = mtkey::parse_log_level(level);
    const auto done = chosen ? mtkey::nafkc::run(options, *chosen)
                             : mtkey::Result<void>(std::unexpected(chosen.error()));
    if (!done) {
        std::fprintf(stderr, "mtkey-nafkc: %s\n", mtkey::describe(done.error()).c_str());
        return mtkey::info(done.error().code).exit_status;
    }
    return 0;
}
