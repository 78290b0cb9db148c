// SPDX-License-Identifier: Apache-2.0
// mtkeyctl store: how the daemon keeps its keys.
#include "tools/mtkeyctl/printing.hpp"

#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace mtkey::tools {
namespace {

constexpr const char* kStorePath = "/org/mtkeyd1/store";
constexpr const char* kStore = "org.mtkeyd1.Store1";
const Properties kNoOptions;

json store_state(sdbus::IConnection& connection) {
    const json stores = list(fetch(connection), "Store1");
    if (stores.empty()) {
        throw sdbus::Error("org.mtkeyd1.Error.NotFound", "this mtkeyd shows no key store");
    }
    json out = stores.front();
    out.erase("path");
    return out;
}

bool was_set_aside(const json& state) {
    return state["quarantined"].is_object();
}

void print_quarantine(const json& state) {
    if (was_set_aside(state)) {
        const auto& why = state["quarantined"];
        std::cout << "set aside  " << text(why, "error") << ": " << text(why, "message")
                  << ", kept as " << text(why, "kept_as") << "\n";
    }
}

} // namespace

int store_info(sdbus::IConnection& connection, const Output& output) {
    const json state = store_state(connection);
    if (output.json) {
        print_json(state);
        return 0;
    }
    if (state["persistent"].get<bool>()) {
        std::cout << "file       " << text(state, "file") << ", generation "
                  << text(state, "generation") << "\n";
    } else {
        std::cout << "file       none: keys live in memory only and end with the daemon\n";
    }
    std::cout << "sealed by  "
              << (state["key_origin"] == "none" ? "no key" : text(state, "key_origin"))
              << (state["next_key"].get<bool>() ? ", a next key is there (mtkeyctl store rekey)"
                                                : "")
              << "\nkeys       " << text(state, "keys") << "\n";
    if (state["time_unknown"].get<bool>()) {
        std::cout << "time       behind what the store has seen: stored keys wait for the next "
                     "bootstrapping\n";
    }
    print_quarantine(state);
    return 0;
}

int store_verify(sdbus::IConnection& connection, const Output& output) {
    call(connection, output, kStorePath, kStore, "Verify", kNoOptions);
    const json state = store_state(connection);
    const bool good = !was_set_aside(state);
    if (output.json) {
        print_json(json{{"verified", good}, {"quarantined", state["quarantined"]}});
    } else if (good) {
        std::cout << "good: " << (state["persistent"].get<bool>() ? text(state, "file") : "no file")
                  << "\n";
    } else {
        print_quarantine(state);
    }
    return good ? 0 : 1;
}

int store_forget_all(sdbus::IConnection& connection, const Output& output) {
    std::uint32_t forgotten = 0;
    call(connection, output, kStorePath, kStore, "ForgetAll", kNoOptions) >> forgotten;
    if (output.json) {
        print_json(json{{"forgotten", forgotten}});
    } else {
        std::cout << "forgotten: " << forgotten << "\n";
    }
    return 0;
}

int store_rekey(sdbus::IConnection& connection, const Output& output) {
    call(connection, output, kStorePath, kStore, "Rekey", kNoOptions);
    if (output.json) {
        print_json(json{{"rekeyed", true}});
    } else {
        std::cout
            << "sealed under the next key; make it the only one now (mtkeyd-keygen promote)\n";
    }
    return 0;
}

int store_export_report(sdbus::IConnection& connection, const Output& output) {
    std::vector<Properties> keys;
    auto reply = call(connection, output, kStorePath, kStore, "ExportReport", kNoOptions);
    reply >> keys;
    json report = json::array();
    for (const auto& key : keys) {
        report.push_back(to_json(key));
    }
    if (output.json) {
        print_json(report);
        return 0;
    }
    for (const auto& key : report) {
        std::cout << text(key, "device_id") << "\n    " << text(key, "state")
                  << (key["usable"].get<bool>() ? ", usable" : ", not usable now") << ", "
                  << text(key, "mode") << ", key " << text(key, "fingerprint") << ", key center "
                  << text(key, "naf") << "\n    confirmed " << time_text(key["confirmed"])
                  << ", last used " << time_text(key["last_used"]) << ", until "
                  << time_text(key["expires"]) << "\n";
    }
    return 0;
}

} // namespace mtkey::tools
