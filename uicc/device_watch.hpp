// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <string>

namespace mtkey::uicc {

/// Waits for a device file to appear, by inotify: nothing is done while nothing happens.
class DeviceWatch {
public:
    [[nodiscard]] static Result<DeviceWatch> create(std::string path);

    [[nodiscard]] int descriptor() const { return inotify_.get(); } ///< readable: call changed()
    /// Takes what has happened; true when it was about the file, or about a folder on the way to
    /// it.
    [[nodiscard]] bool changed();
    [[nodiscard]] bool exists() const;

private:
    DeviceWatch(std::string path, UniqueFd inotify)
        : path_(std::move(path)), inotify_(std::move(inotify)) {}
    void watch_nearest();

    std::string path_;
    UniqueFd inotify_;
    std::string awaited_; ///< name in the folder that is watched: the file, or a folder above it
    int watch_ = -1;
};

} // namespace mtkey::uicc
