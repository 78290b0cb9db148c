// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/aka.hpp"
#include "testbed/virtual_uicc/answer.hpp"
#include "testbed/virtual_uicc/card_profile.hpp"
#include "testbed/virtual_uicc/file_system.hpp"

#include <array>
#include <memory>
#include <optional>

namespace mtkey::testbed {

/// The USIM's side of AKA and GBA_U: owns K, SQN_MS and the Ks of the last bootstrapping, which
/// outlive a reset as they do in a card's non-volatile memory.
class Authentication {
public:
    Authentication(const CardProfile& profile, std::unique_ptr<aka::Algorithm> algorithm,
                   const aka::Sqn& sqn_ms);

    /// AUTHENTICATE (TS 31.102 clause 7.1.2). `adf`: where EF_GBABP and EF_GBANL are.
    Answer authenticate(const uicc::CommandApdu& command, Directory& adf);
    [[nodiscard]] const aka::Sqn& sqn_ms() const { return sqn_ms_; }

private:
    struct GbaContext {
        Secret<32> ks;
        aka::Rand rand;
    };

    Answer security_context(ByteView data);
    Answer bootstrap(ByteView data, Directory& adf);
    Answer derive_naf_key(ByteView data, Directory& adf);
    /// The record's number, or nothing where the entry has no room.
    bool note_naf_key(Directory& adf, ByteView naf_id);

    std::unique_ptr<aka::Algorithm> algorithm_;
    aka::Sqn sqn_ms_;
    aka::GbaURules rules_;
    bool gba_;
    bool gsm_access_;
    std::optional<GbaContext> context_;
    std::vector<std::uint64_t> last_use_; ///< of each record of EF_GBANL
    std::uint64_t uses_ = 0;
};

} // namespace mtkey::testbed
