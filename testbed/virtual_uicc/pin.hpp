// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "testbed/virtual_uicc/answer.hpp"
#include "uicc/apdu.hpp"

#include <cstdint>

namespace mtkey::testbed {

/// One PIN (TS 102 221 clause 9.5): owns its digits, its attempts and whether it is verified. No
/// PUK.
class Pin {
public:
    /// No digits: disabled.
    Pin(std::uint8_t reference, ByteView digits, unsigned attempts);

    [[nodiscard]] std::uint8_t reference() const { return reference_; }
    [[nodiscard]] bool enabled() const { return enabled_; }
    [[nodiscard]] bool verified() const { return verified_; }
    [[nodiscard]] unsigned attempts_left() const { return left_; }
    void set_attempts_left(unsigned left) { left_ = left < attempts_ ? left : attempts_; }
    /// Reset or termination of the application: the attempts stay.
    void forget_verification() { verified_ = false; }
    /// VERIFY PIN (clause 11.1.9) whose P2 is this reference.
    Answer verify(const uicc::CommandApdu& command);

private:
    [[nodiscard]] Answer tries_left() const;

    static constexpr std::size_t kField = 8;

    std::uint8_t reference_;
    Secret<kField> padded_; ///< as VERIFY carries it
    bool enabled_;
    bool verified_ = false;
    unsigned attempts_;
    unsigned left_;
};

} // namespace mtkey::testbed
