// SPDX-License-Identifier: Apache-2.0
#include "base/errc.hpp"
#include "base/result.hpp"
#include "tools/mtkeyctl/commands.hpp"
#include "tools/mtkeyctl/objects.hpp"

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>

using namespace mtkey;

namespace {

int failed(const Error& error, bool as_json) {
    // No daemon is its own exit status: a normal case for scripts.
    const int status = error.code == Errc::NotReady ? 3 : info(error.code).exit_status;
    if (as_json) {
        std::cout
            << nlohmann::json{{"error", info(error.code).name}, {"message", error.context}}.dump()
            << "\n";
    }
    std::cerr << "mtkeyctl: " << (error.context.empty() ? describe(error) : error.context) << "\n";
    return status;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"mtkeyctl: see and drive mtkeyd"};
    app.require_subcommand(1);
    app.fallthrough();
    app.footer("Exit status: 0 done, 1 failure, 2 usage, 3 no daemon, 4 not authorised, 5 not "
               "found, 6 card, "
               "7 network, 8 time-out, 9 cancelled, 10 external device.");
    app.set_version_flag("--version", MTKEY_VERSION);
    std::string address = "system";
    tools::Output output;
    app.add_option("--bus", address, "bus address, or \"system\"")->capture_default_str();
    app.add_flag("--json", output.json, "one JSON document (monitor: one a line)");
    app.add_option("--timeout", output.timeout_seconds, "seconds to wait for an answer")
        ->capture_default_str();

    bool never_ask = false;
    app.add_flag("--no-ask-password", never_ask, "fail instead of letting polkit ask");

    std::function<int(sdbus::IConnection&)> command;
    bool force = false;
    std::string naf;
    std::string device_id;
    app.add_subcommand("status", "daemon, UICC, session and transports")->callback([&] {
        command = [&](auto& bus) { return tools::show_status(bus, output); };
    });
    auto* run = app.add_subcommand("bootstrap", "make sure of a valid B-TID");
    run->add_flag("--force", force, "bootstrap although there is one");
    run->add_option("--naf", naf, "derive Ks_(ext)_NAF of this key center too (FQDN)");
    run->callback(
        [&] { command = [&](auto& bus) { return tools::bootstrap(bus, output, force, naf); }; });
    auto* device = app.add_subcommand("device", "external devices")->require_subcommand(1);
    device->add_subcommand("list", "all that have or had a key, or asked")->callback([&] {
        command = [&](auto& bus) { return tools::list_devices(bus, output); };
    });
    auto* forget = device->add_subcommand("forget", "delete the key of a device");
    forget->add_option("device_id", device_id, "Device_ID")->required();
    forget->callback(
        [&] { command = [&](auto& bus) { return tools::forget_device(bus, output, device_id); }; });
    auto* nafs = app.add_subcommand("naf", "NAF key centers")->require_subcommand(1);
    nafs->add_subcommand("list", "what devices are offered, in order")->callback([&] {
        command = [&](auto& bus) { return tools::list_nafs(bus, output); };
    });
    auto* store = app.add_subcommand("store", "how the keys are kept")->require_subcommand(1);
    const auto of_store = [&](const char* name, const char* what, auto function) {
        store->add_subcommand(name, what)->callback([&, function] {
            command = [&, function](auto& bus) { return function(bus, output); };
        });
    };
    of_store("info", "where, under which key, how many", tools::store_info);
    of_store("verify", "is the file as it was written? Status 1 when it is not, or was set aside",
             tools::store_verify);
    of_store("export-report", "what is known of each key; never the key",
             tools::store_export_report);
    of_store("forget-all", "delete the keys of all devices", tools::store_forget_all);
    of_store("rekey", "seal the store under the next key encryption key", tools::store_rekey);
    app.add_subcommand("pin", "show PIN1 to the UICC; read without echo, or from standard input")
        ->callback([&] { command = [&](auto& bus) { return tools::send_pin(bus, output); }; });
    app.add_subcommand("monitor", "what happens, as it happens")->callback([&] {
        command = [&](auto& bus) { return tools::monitor(bus, output); };
    });
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    output.ask_password = !never_ask;
    try {
        const auto bus = address == "system"
                             ? sdbus::createSystemBusConnection()
                             : sdbus::createSessionBusConnectionWithAddress(address);
        return command(*bus);
    } catch (const sdbus::Error& error) {
        return failed(tools::from_bus(error), output.json);
    } catch (const std::exception& error) {
        return failed(Error{Errc::Internal, 0, error.what()}, output.json);
    }
}
