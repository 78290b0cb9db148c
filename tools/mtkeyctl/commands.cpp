// SPDX-License-Identifier: Apache-2.0
#include "tools/mtkeyctl/commands.hpp"

#include "base/clock.hpp"
#include "base/unique_fd.hpp"
#include "tools/mtkeyctl/printing.hpp"

#include <array>
#include <csignal>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

namespace mtkey::tools {

namespace {

constexpr const char* kManager = "org.mtkeyd1.Manager1";

} // namespace

int show_status(sdbus::IConnection& connection, const Output& output) {
    const json state = status(fetch(connection));
    if (output.json) {
        print_json(state);
        return 0;
    }
    std::cout << "mtkeyd   " << text(state, "version") << ", " << text(state, "state")
              << ", policy " << text(state, "gba_policy") << "\n";
    if (const auto& uicc = state["uicc"]; uicc.is_object()) {
        std::cout << "UICC     " << text(uicc, "state") << " in " << text(uicc, "reader") << ", "
                  << text(uicc, "identity") << ", GBA_U "
                  << (uicc["gba_u"].get<bool>() ? "yes" : "no") << "\n";
        print_problem(uicc);
    } else {
        std::cout << "UICC     none\n";
    }
    for (const auto& session : state["sessions"]) {
        std::cout << "session  " << text(session, "b_tid") << ", " << text(session, "mode")
                  << ", until " << time_text(session["expires"]) << "\n";
    }
    for (const auto& transport : state["transports"]) {
        const std::string path = text(transport, "path");
        std::cout << "link     " << path.substr(path.rfind('/') + 1) << " ("
                  << text(transport, "type") << ") " << text(transport, "state") << ", connections "
                  << text(transport, "connections") << "\n";
        print_problem(transport);
    }
    std::cout << "devices  " << state["devices"].size() << " (mtkeyctl device list), key store "
              << text(state, "store_state") << "\n";
    return 0;
}

int bootstrap(sdbus::IConnection& connection, const Output& output, bool force,
              const std::string& naf) {
    std::map<std::string, sdbus::Variant> options{{"force", sdbus::Variant(force)}};
    if (!naf.empty()) {
        options["naf"] = sdbus::Variant(naf);
    }
    sdbus::ObjectPath session;
    call(connection, output, kRootPath, kManager, "Bootstrap", options) >> session;
    const json sessions = list(fetch(connection), "Session1");
    for (const auto& one : sessions) {
        if (one["path"] == std::string(session)) {
            if (output.json) {
                print_json(one);
            } else {
                std::cout << "bootstrapped: " << text(one, "b_tid") << ", " << text(one, "mode")
                          << ", until " << time_text(one["expires"]) << ", "
                          << text(one, "http_exchanges") << " HTTP exchanges, "
                          << text(one, "authenticates") << " AUTHENTICATE\n";
            }
            return 0;
        }
    }
    throw sdbus::Error("org.mtkeyd1.Error.NoCard", "the session ended at once");
}

int list_devices(sdbus::IConnection& connection, const Output& output) {
    const json devices = list(fetch(connection), "Device1");
    if (output.json) {
        print_json(devices);
        return 0;
    }
    for (const auto& device : devices) {
        std::cout << text(device, "device_id") << "\n    key " << text(device, "key_state")
                  << (device["approved"].get<bool>() ? "" : " (not approved)") << ", until "
                  << time_text(device["expires"]) << ", key center " << text(device, "naf")
                  << ", seen " << time_text(device["last_seen"]) << " at "
                  << text(device, "transport") << "\n";
    }
    return 0;
}

int forget_device(sdbus::IConnection& connection, const Output& output,
                  const std::string& device_id) {
    call(connection, output, kRootPath, kManager, "ForgetDevice", device_id,
         std::map<std::string, sdbus::Variant>{});
    if (output.json) {
        print_json(json{{"forgotten", device_id}});
    } else {
        std::cout << "forgotten: " << device_id << "\n";
    }
    return 0;
}

namespace {

/// Standard input without echo while it is a terminal. Owns its settings.
class NoEcho {
public:
    NoEcho() : on_tty_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
        if (on_tty_) {
            auto without = before_;
            without.c_lflag &= ~static_cast<tcflag_t>(ECHO);
            ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &without);
            std::cerr << "PIN: " << std::flush;
        }
    }
    ~NoEcho() {
        if (on_tty_) {
            ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
            std::cerr << "\n";
        }
    }
    NoEcho(const NoEcho&) = delete;
    NoEcho& operator=(const NoEcho&) = delete;

private:
    termios before_{};
    bool on_tty_;
};

} // namespace

int send_pin(sdbus::IConnection& connection, const Output& output) {
    std::array<char, 16> digits{};
    std::size_t size = 0;
    {
        const NoEcho quiet;
        while (size < digits.size() && ::read(STDIN_FILENO, &digits[size], 1) == 1 &&
               digits[size] >= '0' && digits[size] <= '9') {
            ++size;
        }
    }
    const UniqueFd memory(::memfd_create("pin", MFD_CLOEXEC));
    const bool written = memory.valid() && size > 0 &&
                         ::write(memory.get(), digits.data(), size) == static_cast<ssize_t>(size) &&
                         ::lseek(memory.get(), 0, SEEK_SET) == 0;
    ::explicit_bzero(digits.data(), digits.size());
    if (!written) {
        throw sdbus::Error("org.mtkeyd1.Error.InvalidArgument", "a PIN is 4 to 8 digits");
    }
    call(connection, output, "/org/mtkeyd1/uicc/0", "org.mtkeyd1.Uicc1", "SendPin",
         sdbus::UnixFd(memory.get()), std::map<std::string, sdbus::Variant>{});
    if (output.json) {
        print_json(json{{"pin", "accepted"}});
    } else {
        std::cout << "PIN accepted\n";
    }
    return 0;
}

int list_nafs(sdbus::IConnection& connection, const Output& output) {
    const json nafs = list(fetch(connection), "NafKeyCenter1");
    if (output.json) {
        print_json(nafs);
        return 0;
    }
    for (const auto& naf : nafs) {
        std::cout << text(naf, "priority") << "  " << text(naf, "fqdn") << "  " << text(naf, "ua")
                  << "  " << text(naf, "origin") << "\n";
    }
    return 0;
}

namespace {

/// One event of the daemon as JSON; null for what does not concern us.
json event_of(sdbus::Message& message) {
    const std::string member = message.getMemberName();
    json event{{"event", json_name(member)}};
    if (member == "PropertiesChanged") {
        std::string interface;
        Properties changed;
        message >> interface >> changed;
        event["path"] = message.getPath();
        event["interface"] = interface;
        event["changed"] = to_json(changed);
    } else if (member == "InterfacesAdded") {
        sdbus::ObjectPath path;
        Interfaces interfaces;
        message >> path >> interfaces;
        event["path"] = std::string(path);
        for (const auto& [name, properties] : interfaces) {
            if (name.starts_with("org.mtkeyd1.")) {
                event["interface"] = name;
                event["changed"] = to_json(properties);
            }
        }
    } else if (member == "InterfacesRemoved") {
        sdbus::ObjectPath path;
        message >> path;
        event["path"] = std::string(path);
    } else if (member == "KeyEstablished") {
        Properties details;
        message >> details;
        event["path"] = message.getPath();
        event["details"] = to_json(details);
    } else if (member == "StoreQuarantined") {
        std::string name;
        std::string sentence;
        std::string kept_as;
        message >> name >> sentence >> kept_as;
        event["path"] = message.getPath();
        event["error"] = name;
        event["message"] = sentence;
        event["details"] = json{{"kept_as", kept_as}};
    } else if (member == "ProcedureFailed" || member == "BootstrapFailed") {
        std::string name;
        std::string sentence;
        message >> name >> sentence;
        event["path"] = message.getPath();
        event["error"] = name;
        event["message"] = sentence;
    } else {
        return nullptr;
    }
    return event;
}

void print_event(const json& event, const Output& output) {
    if (output.json) {
        std::cout << event.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
        return;
    }
    std::cout << format_utc(SystemClock().utc_now()) << "  " << std::left << std::setw(20)
              << event["event"].get<std::string>() << text(event, "path");
    for (const char* key : {"changed", "details"}) {
        const auto found = event.find(key);
        if (found == event.end()) {
            continue;
        }
        for (const auto& [name, value] : found->items()) {
            std::cout << "  " << name << "="
                      << (value.is_string() ? value.get<std::string>() : value.dump());
        }
    }
    if (event.contains("error")) {
        std::cout << "  " << text(event, "error") << ": " << text(event, "message");
    }
    std::cout << std::endl;
}

} // namespace

int monitor(sdbus::IConnection& connection, const Output& output) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    const int signal_fd = ::signalfd(-1, &signals, SFD_CLOEXEC);

    const auto slot = connection.addMatch(
        "type='signal',sender='org.mtkeyd1'", [&output](sdbus::Message& message) {
            // Nothing may leave a match handler of sdbus-c++ 1.2.
            try {
                const json event = event_of(message);
                if (!event.is_null()) {
                    print_event(event, output);
                }
            } catch (const std::exception& problem) {
                std::cerr << "mtkeyctl: event not understood: " << problem.what() << "\n";
            }
        });
    int status = 0;
    while (true) {
        while (connection.processPendingRequest()) {
        }
        const auto wanted = connection.getEventLoopPollData();
        pollfd fds[2] = {{wanted.fd, wanted.events, 0}, {signal_fd, POLLIN, 0}};
        ::poll(fds, 2, wanted.getPollTimeout());
        if (fds[1].revents != 0) {
            break;
        }
    }
    ::close(signal_fd);
    return status;
}

} // namespace mtkey::tools
