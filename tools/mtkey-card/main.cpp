// SPDX-License-Identifier: Apache-2.0
#include "base/errc.hpp"
#include "base/log.hpp"
#include "tools/mtkey-card/command_line.hpp"

#include <cstdio>
#include <sys/prctl.h>

int main(int argc, char** argv) {
    // PINs and keys pass through here.
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    mtkey::set_log_level(mtkey::LogLevel::Error);
    if (const auto heap = mtkey::init_secure_heap(); !heap) {
        std::fprintf(stderr, "mtkey-card: %s\n", mtkey::describe(heap.error()).c_str());
        return mtkey::info(heap.error().code).exit_status;
    }
    return mtkey::tools::run_command_line(argc, argv);
}
