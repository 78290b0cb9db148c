// SPDX-License-Identifier: Apache-2.0
#include "base/memory.hpp"
#include "network/bsf/command_line.hpp"

#include <cstdio>
#include <new>
#include <sys/prctl.h>

namespace {

using namespace mtkey;

Result<void> act(const bsf::CommandLine& line) try {
    switch (line.action) {
    case bsf::Action::Add:
        return bsf::subscriber_add(line.subscriber);
    case bsf::Action::List:
        return bsf::subscriber_list(line.subscriber);
    case bsf::Action::Remove:
        return bsf::subscriber_remove(line.subscriber);
    case bsf::Action::Import:
        return bsf::subscriber_import(line.subscriber);
    case bsf::Action::Serve:
        break;
    }
    return bsf::run(line.serve, line.level);
} catch (const std::bad_alloc&) { // the secure heap has an end
    return fail(Errc::LimitExceeded, "no memory for the subscribers' keys");
}

} // namespace

int main(int argc, char** argv) {
    end_without_memory();
    ::prctl(PR_SET_DUMPABLE, 0); // the subcommands have keys in memory as well: no core
    const auto parsed = bsf::parse_command_line(argc, argv);
    if (parsed && std::holds_alternative<int>(*parsed)) {
        return std::get<int>(*parsed);
    }
    const auto done = parsed ? act(std::get<bsf::CommandLine>(*parsed))
                             : Result<void>(std::unexpected(parsed.error()));
    if (!done) {
        std::fprintf(stderr, "mtkey-bsf: %s\n", describe(done.error()).c_str());
        return info(done.error().code).exit_status;
    }
    return 0;
}
