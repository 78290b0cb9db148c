// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"
#include "base/memory.hpp"
#include "base/secret.hpp"
#include "base/steps.hpp"
#include "daemon/config.hpp"
#include "daemon/service.hpp"
#include "self_test/self_test.hpp"

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <sys/prctl.h>

using namespace mtkey;

namespace {

int failed(const Error& error) {
    log_error("mtkeyd", error);
    return info(error.code).exit_status;
}

} // namespace

int main(int argc, char** argv) {
    end_without_memory();
    std::signal(SIGPIPE, SIG_IGN);
    // Keys live in this process: no core, no ptrace by our own user.
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);

    CLI::App app{"mtkeyd: key establishment between a UICC hosting device and external devices "
                 "(3GPP TS 33.259)"};
    std::string path = "/etc/mtkeyd/mtkeyd.toml";
    int step_fd = -1;
    bool check_only = false;
    app.add_option("-c,--config", path, "configuration file")->capture_default_str();
    app.add_option("--steps-fd", step_fd,
                   "write the steps of the procedure as JSON lines to this descriptor");
    app.add_flag("--check", check_only,
                 "read the configuration, say what is wrong with it and end");
    app.set_version_flag("--version", MTKEY_VERSION);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }

    const auto config = daemon::load_config(path);
    if (!config) {
        return failed(config.error());
    }
    if (check_only) {
        std::printf("%s: good\n", path.c_str());
        return 0;
    }
    set_log_level(config->log_level);
    set_step_fd(step_fd);
    if (const auto heap = init_secure_heap(); !heap) {
        return failed(heap.error());
    }
    if (const auto sound = self_test(); !sound) {
        return failed(sound.error());
    }
    const auto status = daemon::run_service(*config);
    return status ? *status : failed(status.error());
}
