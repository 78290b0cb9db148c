// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>
#include <termios.h>

namespace mtkey::plugins::serial {

struct TtySettings {
    std::string device;
    speed_t speed = B115200;
    bool exclusive = true;
};

/// The constant of termios(3) for a speed in baud; B0 for one that the system does not have.
speed_t speed_constant(const std::string& baud);

/// What a tty did not take of what was asked for, as the rest of a sentence about it; empty =
/// nothing that matters here.
std::string difference(const termios& wanted, const termios& is);

/// Opens the tty, locks it and makes it raw: 8 data bits, no parity, no flow control, no echo,
/// modem lines ignored. The descriptor is the caller's: non-blocking, close-on-exec. An error is a
/// sentence with device and remedy.
std::expected<int, std::string> open_tty(const TtySettings& settings);

} // namespace mtkey::plugins::serial
