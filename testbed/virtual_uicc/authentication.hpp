// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aka/aka.hpp"
#include "testbed/virtual_uicc/answer.hpp"
#include "testbed/virtual_uicc/card_profile.hpp"
#include "testbed/virtual_uicc/file_system.hpp"

#include <initializer_list>
#include <memory>
#include <optional>
#include <vector>

namespace mtkey::testbed {

/// What a GBA_U bootstrapping left in one application (TS 33.220 clause 5.2.1); outlives a reset.
struct GbaContext {
    Secret<32> ks;
    aka::Rand rand;
};
struct IntKey {
    Bytes naf_id;
    Secret<32> ks_int_naf;
    std::uint64_t last_use = 0;
};

/// The part of an application that AUTHENTICATE works on. Keys of EF_GBANL's records stand in
/// `int_keys` at the same place.
struct ApplicationState {
    ApplicationKind kind = ApplicationKind::Usim;
    bool gba = true;
    bool gsm_access = false;
    std::optional<GbaContext> context{};
    std::vector<std::optional<IntKey>> int_keys{};
    std::uint64_t uses = 0;
};

/// AKA and GBA_U of a card: owns K and the SQN array, which its applications share as they share
/// the key.
class Authentication {
public:
    Authentication(std::unique_ptr<aka::Algorithm> algorithm, const aka::SqnArray& sqn,
                   const aka::GbaURules& rules);

    /// AUTHENTICATE (TS 31.102 clause 7.1.2, TS 31.103 clause 7.1.2). `adf`: where EF_GBABP and
    /// EF_GBANL are.
    Answer authenticate(const uicc::CommandApdu& command, ApplicationState& application,
                        Directory& adf);
    [[nodiscard]] const aka::Algorithm& algorithm() const { return *algorithm_; }
    aka::SqnArray& sqn() { return sqn_; }
    [[nodiscard]] const aka::SqnArray& sqn() const { return sqn_; }

private:
    Answer security_context(ByteView data, bool with_kc);
    Answer bootstrap(ByteView data, ApplicationState& application, Directory& adf);

    std::unique_ptr<aka::Algorithm> algorithm_;
    aka::SqnArray sqn_;
    aka::GbaURules rules_;
};

/// L || value at the front of `rest`; takes it off.
std::optional<ByteView> take_value(ByteView& rest);
/// `tag`, then L || value of each part.
Answer tagged(std::uint8_t tag, std::initializer_list<ByteView> parts);

/// NAF derivation mode (TS 33.220 annex G.2): `data` is L NAF_ID L IMPI.
Answer derive_naf_key(ByteView data, ApplicationState& application, Directory& adf);

} // namespace mtkey::testbed
