// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace mtkey::testbed {

/// Condition of a command on a file (TS 102 221 clause 9.3). Pin: the application's, or the
/// universal PIN where it replaces that.
enum class Access { Always, Pin, Adm, Never };

/// Which conditions hold just now.
struct Rights {
    bool pin = false;
    bool adm = false;
    [[nodiscard]] bool allow(Access access) const {
        return access == Access::Always || (access == Access::Pin && pin) ||
               (access == Access::Adm && adm);
    }
};

/// Key references (TS 102 221 table 9.3).
inline constexpr std::uint8_t kFirstApplicationPin = 0x01;
inline constexpr std::uint8_t kLastApplicationPin = 0x08;
inline constexpr std::uint8_t kAdm1 = 0x0A;
inline constexpr std::uint8_t kUniversalPin = 0x11;

} // namespace mtkey::testbed
