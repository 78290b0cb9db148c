// SPDX-License-Identifier: Apache-2.0
#include "unit/transports/plugin_host.hpp"

#include "module_paths.hpp"

#include <filesystem>
#include <poll.h>
#include <sys/stat.h>

namespace mtkey::transports {
namespace {

constexpr int kPatienceMs = 5000;

std::string file_name(const std::string& plugin) {
    return "mtkey-transport-" + plugin + ".so";
}

} // namespace

PluginFolder::PluginFolder() {
    std::string name = std::filesystem::temp_directory_path() / "mtkey-plugins-XXXXXX";
    path_ = ::mkdtemp(name.data());
    ::chmod(path_.c_str(), 0755);
    for (const auto module : kModulePaths) {
        const std::filesystem::path from(module);
        const auto to = std::filesystem::path(path_) / from.filename();
        std::filesystem::copy_file(from, to);
        ::chmod(to.c_str(), 0644);
    }
}

PluginFolder::~PluginFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string PluginFolder::module(const std::string& plugin) const {
    return path_ + "/" + file_name(plugin);
}

bool PluginFolder::built(const std::string& plugin) {
    for (const auto module : kModulePaths) {
        if (module.ends_with("/" + file_name(plugin))) {
            return true;
        }
    }
    return false;
}

Result<void> PluginHost::start(const PluginFolder& folder, const std::string& plugin, Role role,
                               std::map<std::string, std::string> options) {
    InstanceSettings settings;
    settings.name = "test";
    settings.plugin = plugin;
    settings.plugin_dir = folder.path();
    settings.role = role;
    settings.options = std::move(options);
    Instance::Callbacks callbacks;
    callbacks.connected = [this](Connection one) {
        if (!refuses) {
            connections.push_back(std::move(one));
        }
        return !refuses;
    };
    callbacks.state = [this](State state, std::string_view message) {
        states.emplace_back(state, message);
    };
    instance = MTKEY_TRY(Instance::create(std::move(settings), std::move(callbacks)));
    return {};
}

bool PluginHost::step() {
    pollfd wait{instance->poll_fd(), POLLIN, 0};
    if (::poll(&wait, 1, kPatienceMs) != 1) {
        return false;
    }
    return instance->dispatch();
}

Result<Connection> PluginHost::next_connection() {
    while (connections.empty()) {
        if (!step()) {
            return fail(Errc::TimedOut, instance->last_message());
        }
    }
    Connection first = std::move(connections.front());
    connections.pop_front();
    return first;
}

Result<void> PluginHost::wait_for(State state) {
    while (instance->state() != state) {
        if (!step()) {
            return fail(Errc::TimedOut, instance->last_message());
        }
    }
    return {};
}

} // namespace mtkey::transports
