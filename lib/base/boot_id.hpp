// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <array>
#include <cstdint>

namespace mtkey {

/// Another number after each boot: CLOCK_BOOTTIME of two boots cannot be compared.
using BootId = std::array<std::uint8_t, 16>;

/// The kernel's (/proc/sys/kernel/random/boot_id).
[[nodiscard]] Result<BootId> system_boot_id();

} // namespace mtkey
