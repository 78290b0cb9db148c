// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <string>

namespace mtkey::uicc {

/// Speeds in baud that open_at_tty takes.
[[nodiscard]] bool is_at_speed(unsigned baud);
/// Opens the modem's tty, locks it against programs that ask (flock) and those that do not
/// (TIOCEXCL), and makes it raw: no echo, no flow control, modem lines ignored. Non-blocking. What
/// waits in it is thrown away. Errors: NoReader (no such device, no tty), ReaderBusy (names the
/// process that holds the lock, when it can be seen), NotAuthorized, InvalidArgument (the speed).
[[nodiscard]] Result<UniqueFd> open_at_tty(const std::string& device, unsigned baud);

} // namespace mtkey::uicc
