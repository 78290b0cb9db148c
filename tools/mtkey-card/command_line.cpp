// SPDX-License-Identifier: Apache-2.0
#include "tools/mtkey-card/command_line.hpp"

#include "base/encoding.hpp"
#include "tools/mtkey-card/commands.hpp"
#include "tools/mtkey-card/gsmtap.hpp"
#include "tools/mtkey-card/redact.hpp"
#include "tools/mtkey-card/test_reader.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

namespace mtkey::tools {
namespace {
using nlohmann::json;

/// What was asked for: collects, then shows.
struct Command {
    std::function<Document(Card&)> with_card;
    std::function<Document()> without_card;
    void (*show)(const json&) = nullptr;
};

/// Everything that options fill in.
struct Arguments {
    Options options;
    bool ask_pin = false;
    int pin_fd = -1;
    std::string file;
    std::vector<std::string> apdus;
    bool raw = false;
    unsigned reference = 0;
    bool force = false;
    ReaderTest test;
};

int failed(const Error& error, bool as_json) {
    if (as_json) {
        std::cout << json{{"error", info(error.code).name}, {"message", describe(error)}}.dump(
                         2, ' ', false, json::error_handler_t::replace)
                  << "\n";
    }
    std::cerr << "mtkey-card: " << describe(error) << "\n";
    return info(error.code).exit_status;
}

bool shows_a_pin(const std::string& hex) {
    constexpr std::array<std::string_view, 5> kPinCommands{"20", "24", "26", "28", "2c"};
    auto ins = hex.substr(std::min<std::size_t>(hex.size(), 2), 2);
    std::ranges::transform(ins, ins.begin(), [](unsigned char c) { return std::tolower(c); });
    return hex.size() > 10 && std::ranges::find(kPinCommands, ins) != kPinCommands.end();
}

Result<std::vector<SecretBytes>> parse_apdus(const std::vector<std::string>& texts) {
    std::vector<SecretBytes> commands;
    const auto add = [&commands](std::string text) -> Result<void> {
        std::erase_if(text, [](char c) { return c == ' ' || c == ':'; });
        auto octets = secret_from_hex(text);
        wipe(text);
        if (!octets || octets->size() < 4 || octets->size() > 261) {
            return fail(Errc::InvalidArgument, "an APDU has 4 to 261 octets in hex; number " +
                                                   std::to_string(commands.size() + 1) +
                                                   " has not");
        }
        commands.push_back(*std::move(octets));
        return {};
    };
    for (const auto& text : texts) {
        if (text == "-") {
            for (std::string line; std::getline(std::cin, line);) {
                if (!line.empty() && line.front() != '#') {
                    MTKEY_CHECK(add(line));
                }
                wipe(line);
            }
            continue;
        }
        if (shows_a_pin(text)) {
            return fail(Errc::InvalidArgument,
                        "a PIN on the command line is everybody's to read: use pin verify, or "
                        "'apdu -' with the commands on standard input");
        }
        MTKEY_CHECK(add(text));
    }
    return commands;
}

/// Asked once, for all applications of the card.
void prepare_pin(Arguments& arguments) {
    if (arguments.pin_fd < 0 && !arguments.ask_pin) {
        return;
    }
    const auto kept = std::make_shared<SecretBytes>();
    arguments.options.pin = [kept, fd = arguments.pin_fd]() -> Result<SecretBytes> {
        if (kept->empty()) {
            *kept = MTKEY_TRY(fd >= 0 ? read_pin_fd(fd) : ask_pin_on_terminal("PIN of the card: "));
        }
        return kept->clone();
    };
}

/// Every exchange into the capture; the first thing that cannot be written is kept.
Result<void> start_trace(Card& card, const Options& options, Result<void>& trouble) {
    auto capture = std::make_shared<Capture>(MTKEY_TRY(Capture::create(options.trace)));
    auto redactor = std::make_shared<Redactor>(MTKEY_TRY(Redactor::make()));
    if (!card.atr().empty()) {
        MTKEY_CHECK(capture->write(std::chrono::system_clock::now(), GsmtapSim::Atr, card.atr()));
    }
    card.observe([=, &trouble, secrets = options.secrets](ByteView command,
                                                          const Result<SecretBytes>& answer, auto) {
        if (!answer || !trouble) {
            return;
        }
        const auto when = std::chrono::system_clock::now();
        if (secrets) {
            trouble = capture->write_exchange(when, command, answer->reveal());
            return;
        }
        const auto shown = (*redactor)(command, answer->reveal());
        trouble = capture->write_exchange(when, shown.command, shown.answer);
    });
    return {};
}

Document collect(const Command& command, const Options& options) {
    if (command.without_card) {
        return command.without_card();
    }
    Result<void> trouble; // outlives the card, whose observer writes it
    const auto card = MTKEY_TRY(open_card(options.place));
    if (!options.trace.empty()) {
        MTKEY_CHECK(start_trace(*card, options, trouble));
    }
    auto document = command.with_card(*card);
    MTKEY_CHECK(trouble);
    return document;
}

void add_common_options(CLI::App& app, Arguments& arguments) {
    auto& options = arguments.options;
    app.add_option("--reader", options.place.reader,
                   "pattern of the reader's name; the first that matches and has a card")
        ->capture_default_str();
    app.add_option("--iccid", options.place.iccid, "the card with this ICCID, wherever it is");
    app.add_option("--modem", options.place.modem, "tty of a modem, instead of a reader");
    app.add_option("--baud", options.place.baud, "speed of that tty")->capture_default_str();
    app.add_option("--at", options.place.at,
                   "session (AT+CCHO, AT+CGLA), csim (AT+CSIM), or any of them")
        ->check(CLI::IsMember({"any", "session", "csim"}))
        ->capture_default_str();
    app.add_option("--app", options.application, "usim, isim, or the beginning of an AID in hex")
        ->capture_default_str();
    app.add_flag("--json", options.json, "one JSON document");
    app.add_flag("--secrets", options.secrets, "show RES, CK, IK, Ks_ext_NAF and PINs as they are");
    app.add_flag("--show-identity", options.show_identity, "show ICCID, IMSI and IMPI whole");
    app.add_option("--trace", options.trace, "write all exchanges to this file (as trace does)");
    app.add_flag("--pin", arguments.ask_pin, "ask for the PIN when the card wants it");
    app.add_option("--pin-fd", arguments.pin_fd, "read the PIN from this descriptor");
}

void add_pin_commands(CLI::App& app, Arguments& arguments, Command& command) {
    auto* pin = app.add_subcommand("pin", "PINs of an application")->require_subcommand(1);
    pin->add_subcommand("status", "which are on, and how many attempts are left")->callback([&] {
        command.with_card = [&](Card& card) { return pin_status(card, arguments.options); };
        command.show = show_pins;
    });
    auto* verify = pin->add_subcommand(
        "verify", "show the card its PIN, once; leaving the card forgets it again");
    verify->add_option("--reference", arguments.reference, "key reference; default: as needed")
        ->check(CLI::Range(1, 255));
    verify->add_flag("--force", arguments.force, "also when it may be the last attempt");
    verify->callback([&] {
        command.with_card = [&](Card& card) {
            arguments.ask_pin = true; // unless a descriptor was given
            prepare_pin(arguments);
            return pin_verify(card, arguments.options,
                              static_cast<std::uint8_t>(arguments.reference),
                              arguments.force ? 1 : 2);
        };
        command.show = show_verified;
    });
}

void add_commands(CLI::App& app, Arguments& arguments, Command& command) {
    auto& options = arguments.options;
    app.add_subcommand("readers", "readers and what is in them")->callback([&] {
        command.without_card = readers;
        command.show = show_readers;
    });
    app.add_subcommand("info", "ATR, applications, PINs, services")->callback([&] {
        command.with_card = [&](Card& card) { return card_info(card, options); };
        command.show = show_info;
    });
    app.add_subcommand("files", "the known files that are there")->callback([&] {
        command.with_card = [&](Card& card) { return list_files(card, options); };
        command.show = show_files;
    });
    auto* read = app.add_subcommand("read", "a file, decoded and raw");
    read->add_option("file", arguments.file, "EF_IMSI, imsi, 2FE2, 3F00/2FE2, 7FFF/6F07")
        ->required();
    read->callback([&] {
        command.with_card = [&](Card& card) { return read_file(card, options, arguments.file); };
        command.show = show_file;
    });
    add_pin_commands(app, arguments, command);
    auto* apdu = app.add_subcommand("apdu", "send commands; secrets in answers are not shown");
    apdu->add_option("hex", arguments.apdus, "one command each; - reads lines from stdin")
        ->required();
    apdu->add_flag("--raw", arguments.raw, "do not follow 61xx and 6Cxx");
    apdu->callback([&] {
        command.with_card = [&](Card& card) -> Document {
            const auto commands = MTKEY_TRY(parse_apdus(arguments.apdus));
            return send_apdus(card, options, commands, arguments.raw);
        };
        command.show = show_apdus;
    });
    auto* test = app.add_subcommand("test-reader", "conformance and latency of card and reader");
    test->add_option("--round-trips", arguments.test.round_trips, "of each kind")
        ->check(CLI::Range(1, 100000))
        ->capture_default_str();
    test->add_option("--resets", arguments.test.resets, "how many")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    test->add_flag("--removal", arguments.test.removal, "you will be asked to pull the card");
    test->callback([&] {
        arguments.test.say = [](const std::string& what) { std::cerr << what << " ...\n"; };
        command.with_card = [&](Card& card) { return test_reader(card, arguments.test); };
        command.show = show_reader_test;
    });
}

/// `trace FILE COMMAND` is COMMAND with --trace FILE: two subcommands of one command line.
CLI::App* add_trace(CLI::App& app, Arguments& arguments) {
    auto* trace = app.add_subcommand("trace", "do the command behind it (default: info) and write "
                                              "a GSMTAP capture, which Wireshark shows");
    trace->add_option("file", arguments.options.trace, "pcap file")->required();
    return trace;
}

/// An exit status, or -1: `command` is to be done.
int parse(Arguments& arguments, Command& command, int argc, char** argv) {
    CLI::App app{"mtkey-card: for those who test UICCs and readers", "mtkey-card"};
    app.require_subcommand(1, 2);
    app.fallthrough();
    app.footer("A card in a reader is ours alone meanwhile and is reset on leaving.\n"
               "Exit status: 0 done, 1 failure, 2 usage, 4 not authorised, 5 not found, 6 card or "
               "a check that failed, 8 time-out, 9 cancelled.");
    app.set_version_flag("--version", "mtkey-card " MTKEY_VERSION);
    add_common_options(app, arguments);
    add_commands(app, arguments, command);
    const auto* trace = add_trace(app, arguments);
    try {
        app.parse(argc, argv);
        if (app.get_subcommands().size() == 2 && !trace->parsed()) {
            throw CLI::RequiredError("one command at a time: it");
        }
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (command.show == nullptr) {
        command.with_card = [&arguments](Card& card) { return card_info(card, arguments.options); };
        command.show = show_info;
    }
    return -1;
}
} // namespace

int run_command_line(int argc, char** argv) {
    Arguments arguments;
    Command command;
    if (const int status = parse(arguments, command, argc, argv); status >= 0) {
        return status;
    }
    prepare_pin(arguments);
    try {
        const auto document = collect(command, arguments.options);
        if (!document) {
            return failed(document.error(), arguments.options.json);
        }
        if (arguments.options.json) {
            std::cout << document->dump(2, ' ', false, json::error_handler_t::replace) << "\n";
        } else {
            command.show(*document);
        }
        const bool bad = document->is_object() && document->value("failed", 0U) > 0;
        return bad ? info(Errc::CardFailed).exit_status : 0;
    } catch (const std::exception& error) { // JSON and streams
        return failed(Error{Errc::Internal, 0, error.what()}, arguments.options.json);
    }
}

} // namespace mtkey::tools
