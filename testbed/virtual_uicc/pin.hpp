// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "testbed/virtual_uicc/answer.hpp"
#include "uicc/apdu.hpp"

#include <optional>

namespace mtkey::testbed {

/// The application's PIN, key reference 01 (TS 102 221 clause 9.5): three attempts, no PUK.
class Pin {
public:
    explicit Pin(const std::optional<SecretBytes>& digits);

    /// Verified or disabled.
    [[nodiscard]] bool satisfied() const { return !enabled_ || verified_; }
    /// Reset or termination of the application: the attempts stay.
    void forget_verification() { verified_ = false; }
    Answer verify(const uicc::CommandApdu& command);

private:
    [[nodiscard]] Answer tries_left() const;

    static constexpr std::size_t kField = 8;
    static constexpr unsigned kAttempts = 3;

    Secret<kField> padded_; ///< as VERIFY carries it
    bool enabled_;
    bool verified_ = false;
    unsigned attempts_ = kAttempts;
};

} // namespace mtkey::testbed
