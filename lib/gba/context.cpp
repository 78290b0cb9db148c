// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"
#include "gba/bootstrapping.hpp"
#include "uicc/authenticate.hpp"
#include "uicc/gba_files.hpp"

#include <algorithm>
#include <new>

namespace mtkey::gba {

std::string_view to_text(Mode mode) {
    return mode == Mode::GbaU ? "gba-u" : "gba-me";
}

bool Context::valid(const Clock& clock) const {
    return left(clock) > std::chrono::milliseconds(0);
}

std::chrono::milliseconds Context::left(const Clock& clock) const {
    const std::chrono::milliseconds by_utc = local_end_ - clock.utc_now();
    const std::chrono::milliseconds by_boot = deadline_ - clock.boot_now();
    return std::max(std::min(by_utc, by_boot), std::chrono::milliseconds(0));
}

void Context::retire() {
    ks_.reset();
    retired_ = true;
}

bool Context::has_cached(const kdf::NafId& naf_id) const {
    return naf_keys_.contains(naf_id.octets());
}

// DRAFT-GAP(shared-card): others may have the same card bootstrap at any time (local_protocol.md
// section 5); the card takes the Ks that it has, whoever's B-TID we hold.
Result<void> Context::require_own_rand(uicc::CardChannel& card) const {
    if (watch_rand_ && MTKEY_TRY(uicc::read_gbabp_rand(card, application_)) != rand_) {
        return fail(Errc::BtidStale, "EF_GBABP holds the RAND of another bootstrapping");
    }
    return {};
}

Result<Secret<32>> Context::derive_on_card(uicc::CardChannel& card, ByteView naf_id) const {
    MTKEY_CHECK(require_own_rand(card));
    auto key = MTKEY_TRY(uicc::gba_derive_naf(card, naf_id, impi_));
    MTKEY_CHECK(require_own_rand(card));
    return key;
}

Result<const Secret<32>*> Context::ks_naf(uicc::CardChannel* card, const kdf::NafId& naf_id) {
    auto octets = naf_id.octets();
    if (const auto found = naf_keys_.find(octets); found != naf_keys_.end()) {
        return &found->second;
    }
    if (retired_) {
        return fail(Errc::NotReady, "Ks of " + masked_b_tid(b_tid_) + " is no more");
    }
    if (mode_ == Mode::GbaU && card == nullptr) {
        return fail(Errc::NotReady, "Ks_ext_NAF of " + naf_id.text() + " needs the UICC");
    }
    try {
        auto key = mode_ == Mode::GbaU ? MTKEY_TRY(derive_on_card(*card, octets))
                                       : MTKEY_TRY(kdf::ks_ext_naf(*ks_, rand_, impi_, naf_id));
        return &naf_keys_.emplace(std::move(octets), std::move(key)).first->second;
    } catch (const std::bad_alloc&) { // the secure heap has an end
        return fail(Errc::LimitExceeded, "no memory for a NAF key");
    }
}

} // namespace mtkey::gba
