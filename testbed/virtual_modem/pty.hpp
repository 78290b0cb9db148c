// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <string>

namespace mtkey::testbed {

/// A pseudo terminal in raw mode. Owns both ends: while it lives no user's close hangs it up, and
/// its destruction hangs up on the user.
class Pty {
public:
    /// `link`: a symbolic link to the terminal, made or replaced; empty = none.
    static Result<Pty> open(const std::string& link);

    [[nodiscard]] int master() const { return master_.get(); }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    UniqueFd slave_;
    UniqueFd master_;
    std::string path_;
};

} // namespace mtkey::testbed
