// SPDX-License-Identifier: Apache-2.0
#include "tools/mtkeyctl/objects.hpp"

#include <nlohmann/json.hpp>
#include <vector>

namespace mtkey::tools {

using nlohmann::json;

Error from_bus(const sdbus::Error& error) {
    const std::string prefix = "org.mtkeyd1.Error.";
    const std::string& name = error.getName();
    if (name.starts_with(prefix)) {
        return Error{errc_from_name(name.substr(prefix.size())), 0, error.getMessage()};
    }
    if (name == "org.freedesktop.DBus.Error.ServiceUnknown" ||
        name == "org.freedesktop.DBus.Error.NameHasNoOwner") {
        return Error{Errc::NotReady, 0, "mtkeyd is not running (systemctl start mtkeyd)"};
    }
    if (name == "org.freedesktop.DBus.Error.FileNotFound" ||
        name == "org.freedesktop.DBus.Error.NoServer") {
        return Error{Errc::NotReady, 0, "there is no message bus at this address"};
    }
    if (name == "org.freedesktop.DBus.Error.AccessDenied" ||
        name == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired") {
        return Error{Errc::NotAuthorized, 0, error.getMessage()};
    }
    if (name == "org.freedesktop.DBus.Error.NoReply" ||
        name == "org.freedesktop.DBus.Error.Timeout") {
        return Error{Errc::TimedOut, 0, error.getMessage()};
    }
    if (name == "org.freedesktop.DBus.Error.InvalidArgs") {
        return Error{Errc::InvalidArgument, 0, error.getMessage()};
    }
    return Error{Errc::Internal, 0, name + ": " + error.getMessage()};
}

Objects fetch(sdbus::IConnection& connection) {
    auto proxy = sdbus::createProxy(connection, kBusName, kRootPath);
    Objects objects;
    proxy->callMethod("GetManagedObjects")
        .onInterface("org.freedesktop.DBus.ObjectManager")
        .storeResultsTo(objects);
    // The root's own properties are not among the managed objects.
    Properties manager;
    proxy->callMethod("GetAll")
        .onInterface("org.freedesktop.DBus.Properties")
        .withArguments(std::string("org.mtkeyd1.Manager1"))
        .storeResultsTo(manager);
    objects[kRootPath]["org.mtkeyd1.Manager1"] = std::move(manager);
    return objects;
}

std::string json_name(const std::string& dbus_name) {
    std::string out;
    for (const char c : dbus_name) {
        if (c >= 'A' && c <= 'Z') {
            out += out.empty() ? "" : "_";
            out += static_cast<char>(c - 'A' + 'a');
        } else {
            out += c;
        }
    }
    return out;
}

json to_json(const sdbus::Variant& value) {
    const std::string type = value.peekValueType();
    if (type == "s") {
        return value.get<std::string>();
    }
    if (type == "o") {
        return std::string(value.get<sdbus::ObjectPath>());
    }
    if (type == "b") {
        return value.get<bool>();
    }
    if (type == "i") {
        return value.get<std::int32_t>();
    }
    if (type == "u") {
        return value.get<std::uint32_t>();
    }
    if (type == "t") {
        return value.get<std::uint64_t>();
    }
    if (type == "as") {
        return value.get<std::vector<std::string>>();
    }
    if (type == "a{st}") {
        return value.get<std::map<std::string, std::uint64_t>>();
    }
    if (type == "(ss)") {
        const auto pair = value.get<sdbus::Struct<std::string, std::string>>();
        if (std::get<0>(pair).empty()) {
            return nullptr;
        }
        return json{{"error", std::get<0>(pair)}, {"message", std::get<1>(pair)}};
    }
    if (type == "(sss)") {
        const auto all = value.get<sdbus::Struct<std::string, std::string, std::string>>();
        if (std::get<0>(all).empty()) {
            return nullptr;
        }
        return json{{"error", std::get<0>(all)},
                    {"message", std::get<1>(all)},
                    {"kept_as", std::get<2>(all)}};
    }
    return "(" + type + ")";
}

json to_json(const Properties& properties) {
    json out = json::object();
    for (const auto& [name, value] : properties) {
        out[json_name(name)] = to_json(value);
    }
    return out;
}

json list(const Objects& objects, const std::string& name) {
    json out = json::array();
    for (const auto& [path, interfaces] : objects) {
        const auto found = interfaces.find("org.mtkeyd1." + name);
        if (found != interfaces.end()) {
            json one = to_json(found->second);
            one["path"] = std::string(path);
            out.push_back(std::move(one));
        }
    }
    return out;
}

json status(const Objects& objects) {
    json out = json::object();
    const json managers = list(objects, "Manager1");
    if (!managers.empty()) {
        out = managers.front();
        out.erase("path");
    }
    const json uiccs = list(objects, "Uicc1");
    out["uicc"] = uiccs.empty() ? json(nullptr) : uiccs.front();
    out["sessions"] = list(objects, "Session1");
    out["devices"] = list(objects, "Device1");
    out["nafs"] = list(objects, "NafKeyCenter1");
    out["transports"] = list(objects, "Transport1");
    return out;
}

} // namespace mtkey::tools
