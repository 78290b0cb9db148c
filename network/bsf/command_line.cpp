// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/command_line.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace mtkey::bsf {
namespace {

void add_keys(CLI::App& add, SubscriberOptions& options) {
    auto* keys = add.add_option_group("keys", "where K and OPc stand, never the command line");
    keys->add_option("--keys-file", options.keys_file,
                     "file of mode 0600 with k = \"HEX\" and opc = \"HEX\" (or op)")
        ->type_name("FILE");
    keys->add_option("--keys-fd", options.keys_fd, "the same from a descriptor; 0 is stdin")
        ->type_name("N")
        ->check(CLI::Range(0, 1'000'000));
    keys->require_option(1);
}

void add_add(CLI::App& subscriber, SubscriberOptions& options) {
    auto* add = subscriber.add_subcommand("add", "one subscriber");
    add->add_option("--imsi", options.imsi, "6 to 15 digits")->required()->type_name("DIGITS");
    add->add_option("--mnc-length", options.mnc_length, "of this network: 2 or 3")
        ->required()
        ->type_name("N");
    add->add_option("--mode", options.mode, "gba-u (default) or gba-me");
    add->add_option("--algorithm", options.algorithm, "milenage (default) or xor");
    add->add_option("--amf", options.amf, "four hex digits (default 8000)");
    add->add_option("--sqn", options.sqn, "of the next vector, 12 hex digits");
    add->add_option("--lifetime-seconds", options.lifetime_seconds,
                    "of Ks, in the place of the BSF's");
    add_keys(*add, options);
}

/// The subcommands, for parsed() afterwards.
CLI::App* add_subscriber(CLI::App& app, SubscriberOptions& options) {
    auto* subscriber = app.add_subcommand("subscriber", "subscribers of a database");
    auto* where = subscriber->add_option_group("database");
    where->add_option("--database", options.database, "the database")->type_name("FILE");
    where->add_option("--config", options.config, "the BSF's configuration, which names it")
        ->type_name("FILE");
    where->require_option(1);
    subscriber->add_flag("--json", options.json, "for programs");
    subscriber->require_subcommand(1);
    subscriber->fallthrough();
    add_add(*subscriber, options);
    subscriber->add_subcommand("list", "all of them, without their keys");
    subscriber->add_subcommand("remove", "one, with its bootstrapping contexts")
        ->add_option("imsi", options.imsi)
        ->required();
    subscriber->add_subcommand("import", "those of a subscriber file that are not there yet")
        ->add_option("file", options.file, "mode 0600")
        ->required();
    for (auto* command : subscriber->get_subcommands({})) {
        command->fallthrough();
    }
    return subscriber;
}

Action action_of(const CLI::App& subscriber) {
    if (!subscriber.parsed()) {
        return Action::Serve;
    }
    const auto is = [&](const char* name) { return subscriber.got_subcommand(name); };
    return is("add")      ? Action::Add
           : is("list")   ? Action::List
           : is("remove") ? Action::Remove
                          : Action::Import;
}

} // namespace

Result<std::variant<CommandLine, int>> parse_command_line(int argc, const char* const* argv) {
    using Outcome = std::variant<CommandLine, int>;
    CLI::App app{
        "mtkey-bsf: GBA Bootstrapping Server Function (TS 33.220) with its own authentication "
        "centre.\n"
        "Ub over HTTP or HTTPS, Zn over mutual TLS (TS 29.309). For laboratories and tests."};
    app.set_version_flag("--version", "mtkey-bsf " MTKEY_VERSION);
    CommandLine line;
    std::string level = "info";
    std::string faults;
    app.add_option("--config", line.serve.config, "configuration (TOML)")->type_name("FILE");
    app.add_option("--steps-fd", line.serve.steps_fd,
                   "write steps as JSON lines to this inherited descriptor")
        ->type_name("N")
        ->check(CLI::Range(3, 1'000'000));
    app.add_option("--log-level", level, "error, warning, notice, info or debug")
        ->capture_default_str();
    app.add_option("--fault", faults,
                   "do wrong on Ub, for tests of UEs; \"list\" tells what there is")
        ->type_name("NAME[,NAME]");
    app.require_subcommand(0, 1);
    const auto* subscriber = add_subscriber(app, line.subscriber);
    app.footer("When it serves, one line stands on stdout: {\"ready\":true,\"ub_port\":N,"
               "\"zn_port\":N}, and \"metrics_port\" where there is one.\n"
               "SIGTERM or SIGINT ends it with status 0; a wrong configuration with status 2.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return Outcome(app.exit(error) == 0 ? 0 : info(Errc::InvalidArgument).exit_status);
    }
    if (faults == "list") {
        std::fputs(fault_table().c_str(), stdout);
        return Outcome(0);
    }
    line.action = action_of(*subscriber);
    line.level = MTKEY_TRY(parse_log_level(level));
    if (!faults.empty()) {
        line.serve.faults = MTKEY_TRY(parse_faults(faults));
    }
    if (line.action == Action::Serve && line.serve.config.empty()) {
        return fail(Errc::InvalidArgument, "--config FILE is missing");
    }
    return Outcome(std::move(line));
}

} // namespace mtkey::bsf
