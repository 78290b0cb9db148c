// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"
#include "base/memory.hpp"
#include "base/secret.hpp"
#include "base/steps.hpp"
#include "base/unique_fd.hpp"
#include "device/program.hpp"
#include "self_test/self_test.hpp"

#include <CLI/CLI.hpp>
#include <csignal>
#include <sys/prctl.h>
#include <sys/signalfd.h>

namespace {

/// Readable when somebody asks us to end. Blocked before the first thread, so that no thread gets
/// the signal itself.
mtkey::UniqueFd ending_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    return mtkey::UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

} // namespace

int main(int argc, char** argv) {
    using mtkey::device::Arguments;
    mtkey::end_without_memory();
    ::prctl(PR_SET_DUMPABLE, 0);
    if (auto heap = mtkey::init_secure_heap(); !heap) {
        mtkey::log_error("cannot start", heap.error());
        return 1;
    }
    if (auto sound = mtkey::self_test(); !sound) {
        mtkey::log_error("cannot start", sound.error());
        return 1;
    }
    Arguments arguments;
    int steps_fd = -1;
    bool all = false;
    CLI::App app("External device of TS 33.259: shares a key with an MT.\n"
                 "Exit status: 0 done, 1 failure, 2 usage or configuration, 4 not authorised, 5 no "
                 "such key, 7 network, "
                 "8 time-out, 9 cancelled, 10 MT or local interface.");
    app.set_version_flag("--version", MTKEY_VERSION);
    app.add_option("--config", arguments.config, "configuration file")->capture_default_str();
    app.add_flag("--json", arguments.json, "one JSON object on stdout");
    app.add_option("--steps-fd", steps_fd, "write the steps as JSON lines to this descriptor");
    app.require_subcommand(1);
    app.fallthrough();
    auto* establish =
        app.add_subcommand("establish", "try the stored key, else establish a new one");
    establish->add_flag("--renew", arguments.renew,
                        "establish a new key although the stored one may be good");
    auto* status = app.add_subcommand("status", "show the stored keys, without the keys");
    auto* forget = app.add_subcommand("forget", "remove stored keys; the MT is not told");
    auto* one = forget->add_option("--mt", arguments.mt_id, "those shared with this MT");
    forget->add_flag("--all", all, "all of them")->excludes(one);
    try {
        app.parse(argc, argv);
        if (forget->parsed() && !all && arguments.mt_id.empty()) {
            throw CLI::RequiredError("forget: --mt or --all");
        }
    } catch (const CLI::ParseError& problem) {
        return app.exit(problem) == 0 ? 0 : 2;
    }
    arguments.command = status->parsed()   ? Arguments::Command::Status
                        : forget->parsed() ? Arguments::Command::Forget
                                           : Arguments::Command::Establish;
    mtkey::set_step_fd(steps_fd);
    const auto signals = ending_signals();
    return mtkey::device::run_command(arguments, signals.get());
}
