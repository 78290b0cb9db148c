// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "transports/transport_plugin.h"

#include <memory>
#include <string>

namespace mtkey::transports {

/// Owns one mapped plugin module. It stays mapped until the last owner (instance or connection) is
/// gone.
class Module {
public:
    /// `<plugin_dir>/mtkey-transport-<plugin>.so`, after checks of folder and file; its code has
    /// not run before.
    static Result<std::shared_ptr<Module>> load(const std::string& plugin_dir,
                                                const std::string& plugin);
    ~Module();
    Module(const Module&) = delete;
    Module& operator=(const Module&) = delete;

    [[nodiscard]] const mt_transport_plugin& api() const { return *api_; }

private:
    Module() = default;

    UniqueFd file_; ///< open as long as the mapping: the linker knows the module by this number
    void* handle_ = nullptr;
    const mt_transport_plugin* api_ = nullptr;
};

} // namespace mtkey::transports
