// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "transports/loader.hpp"

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mtkey::transports {

/// A folder of mode 0755 with copies of the built modules; removed at the end.
class PluginFolder {
public:
    PluginFolder();
    ~PluginFolder();
    PluginFolder(const PluginFolder&) = delete;
    PluginFolder& operator=(const PluginFolder&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string module(const std::string& plugin) const;
    [[nodiscard]] static bool built(const std::string& plugin);

private:
    std::string path_;
};

/// Owns one instance and notes what it says.
class PluginHost {
public:
    Result<void> start(const PluginFolder& folder, const std::string& plugin, Role role,
                       std::map<std::string, std::string> options = {});
    /// Dispatches until a connection is there, or an Error after five seconds without one.
    Result<Connection> next_connection();
    /// Dispatches until this state is reached.
    Result<void> wait_for(State state);
    /// Dispatches once, when something is ready within five seconds; false also when the plugin has
    /// broken.
    bool step();

    std::unique_ptr<Instance> instance;
    bool refuses = false; ///< whatever is offered
    std::deque<Connection> connections;
    std::vector<std::pair<State, std::string>> states;
};

} // namespace mtkey::transports
