// SPDX-License-Identifier: Apache-2.0
#include "device/program.hpp"

#include "base/file.hpp"
#include "base/log.hpp"
#include "device/config.hpp"
#include "device/output.hpp"
#include "device/transport_link.hpp"

#include <cstdlib>
#include <optional>
#include <unistd.h>

namespace mtkey::device {
namespace {

/// For the one who asks, also when the run has failed.
struct Told {
    RunReport report;
    std::optional<local::EstablishmentAnswer> answer;
};

Result<DeviceKeys> open_keys(const Config& config, SystemParts& system, store::Access access) {
    KeyPlace place = config.keys;
    if (const char* credentials = ::secure_getenv("CREDENTIALS_DIRECTORY")) {
        place.credentials_directory = credentials;
    }
    return DeviceKeys::open(place, MTKEY_TRY(system.parts()), access);
}

Result<std::string> establish(const Config& config, const Arguments& arguments, int cancel_fd,
                              Told& told) {
    SystemParts system;
    auto keys = MTKEY_TRY(open_keys(config, system, store::Access::Change));
    TransportLink link(config.transport, config.link_limit);
    Surroundings out{
        [&link](const Limits& limits) { return link.open(limits); },
        http_key_centers(config.key_center),
        keys,
        system.random,
        Limits{system.clock, system.clock.boot_now() + config.total_limit, cancel_fd},
        {},
    };
    if (!arguments.json) {
        out.on_step = [](Step step, std::string_view detail) {
            static_cast<void>(write_all(STDERR_FILENO, as_octets(step_line(step, detail))));
        };
    }
    out.on_answer = [&told](const local::EstablishmentAnswer& answer) { told.answer = answer; };
    ProcedureSettings settings = config.procedure;
    settings.renew = arguments.renew;
    DeviceProcedure procedure(std::move(settings), std::move(out));
    auto outcome = procedure.run();
    keys.note_time();
    told.report = procedure.report();
    if (!outcome) {
        return std::unexpected(std::move(outcome).error());
    }
    const StoredKey* key = keys.find_active(outcome->mt_id);
    if (key == nullptr) {
        return fail(Errc::Internal, "the key is gone");
    }
    return established_text(*outcome, *key, told.report, arguments.json);
}

Result<std::string> status(const Config& config, const Arguments& arguments) {
    SystemParts system;
    const auto keys = MTKEY_TRY(open_keys(config, system, store::Access::Read));
    return status_text(config.procedure.device_id, keys.all(),
                       {.key_origin = keys.key_origin(), .report = keys.report()}, system.clock,
                       arguments.json);
}

Result<std::string> forget(const Config& config, const Arguments& arguments) {
    SystemParts system;
    // Not to be changed where there is nothing to forget: that would make a key.
    const auto access = MTKEY_TRY(open_keys(config, system, store::Access::Read)).all().empty()
                            ? store::Access::Read
                            : store::Access::Change;
    auto keys = MTKEY_TRY(open_keys(config, system, access));
    const std::size_t count = MTKEY_TRY(keys.forget(arguments.mt_id));
    if (count == 0) {
        return fail(Errc::NoKey,
                    arguments.mt_id.empty() ? config.keys.state_dir : printable(arguments.mt_id));
    }
    return forgotten_text(count, arguments.json);
}

Result<std::string> run(const Arguments& arguments, int cancel_fd, Told& told) {
    const Config config = MTKEY_TRY(load_config(arguments.config));
    switch (arguments.command) {
    case Arguments::Command::Establish:
        return establish(config, arguments, cancel_fd, told);
    case Arguments::Command::Status:
        return status(config, arguments);
    default:
        return forget(config, arguments);
    }
}

} // namespace

int run_command(const Arguments& arguments, int cancel_fd) {
    Told told;
    const auto text = run(arguments, cancel_fd, told);
    if (!text) {
        if (arguments.json) {
            static_cast<void>(write_all(
                STDOUT_FILENO, as_octets(failure_json(text.error(), told.report, told.answer))));
        }
        log(LogLevel::Error, "failed: " + describe(text.error(), told.report));
        return info(text.error().code).exit_status;
    }
    return write_all(STDOUT_FILENO, as_octets(*text)) ? 0 : 1;
}

} // namespace mtkey::device
