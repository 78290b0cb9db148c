// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "transports/transport_plugin.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace mtkey::transports {

enum class Role { Listen, Connect };
enum class State { Stopped, Starting, Ready, Failed };

/// A connection that a plugin has handed over. Owns the descriptor and keeps the module mapped.
struct Connection {
    UniqueFd fd;
    std::string transport; ///< name of the instance
    std::string peer;      ///< transport identity, printable
    bool reliable = false;
    bool bonded = false;
    Role role = Role::Listen;
    std::size_t largest_frame = 0; ///< 0 = default
    std::shared_ptr<void> module;
};

struct InstanceSettings {
    std::string name;       ///< of the instance, [transport.NAME]
    std::string plugin;     ///< "serial"
    std::string plugin_dir; ///< absolute; the module is <dir>/mtkey-transport-<plugin>.so
    Role role = Role::Listen;
    std::map<std::string, std::string> options;
};

/// One plugin instance: loads the module (owner and mode checked, abi, size and name checked before
/// create), forwards its callbacks. Everything runs on the thread that owns it.
class Instance {
public:
    struct Callbacks {
        /// False refuses it: the plugin is told so and tries again later.
        std::function<bool(Connection)> connected;
        std::function<void(State, std::string_view message)> state;
    };
    static Result<std::unique_ptr<Instance>> create(InstanceSettings settings, Callbacks callbacks);
    ~Instance();
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    [[nodiscard]] int poll_fd() const; ///< level-triggered readable: call dispatch()
    /// False: the plugin has thrown, its state is FAILED for good, and nobody may wait for
    /// poll_fd() any more.
    [[nodiscard]] bool dispatch();
    void released(const std::string& peer); ///< the connection of this peer has been closed
    [[nodiscard]] State state() const;
    [[nodiscard]] const std::string& last_message() const;
    [[nodiscard]] const std::string& name() const;

private:
    class Impl;
    explicit Instance(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// Where `meson install` puts the plugins.
std::string_view default_plugin_dir();

} // namespace mtkey::transports
