// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/authentication.hpp"

#include "kdf/naf_keys.hpp"
#include "testbed/virtual_uicc/usim_files.hpp"
#include "uicc/ber_tlv.hpp"

#include <algorithm>
#include <utility>

namespace mtkey::testbed {
namespace {

// Contexts in P2 (TS 31.102 table 2 of clause 7.1.2) and tags in the data.
constexpr std::uint8_t kContext3g = 0x81;
constexpr std::uint8_t kContextGba = 0x84;
constexpr std::uint8_t kTagSuccess = 0xDB;
constexpr std::uint8_t kTagSyncFailure = 0xDC;
constexpr std::uint8_t kTagBootstrapping = 0xDD;
constexpr std::uint8_t kTagNafDerivation = 0xDE;
constexpr std::size_t kUaIdLength = 5;
constexpr std::size_t kBtidAt = 1 + 16; // in EF_GBABP, behind L1 and RAND

/// L || value at the front of `rest`; takes it off.
std::optional<ByteView> take_value(ByteView& rest) {
    if (rest.empty() || rest.size() < 1U + rest[0]) {
        return std::nullopt;
    }
    const ByteView value = rest.subspan(1, rest[0]);
    rest = rest.subspan(1U + rest[0]);
    return value;
}

struct Challenge {
    aka::Rand rand;
    aka::Autn autn;
};

std::optional<Challenge> parse_challenge(ByteView data) {
    const auto rand = take_value(data);
    const auto autn = rand ? take_value(data) : std::nullopt;
    if (!autn || rand->size() != 16 || autn->size() != 16 || !data.empty()) {
        return std::nullopt;
    }
    Challenge out{};
    std::ranges::copy(*rand, out.rand.begin());
    std::ranges::copy(*autn, out.autn.begin());
    return out;
}

/// `tag`, then L || value of each part.
Answer tagged(std::uint8_t tag, std::initializer_list<ByteView> parts) {
    std::size_t size = 1;
    for (const auto part : parts) {
        size += 1 + part.size();
    }
    SecretBytes data(size);
    auto out = data.reveal_writable().begin();
    *out++ = tag;
    for (const auto part : parts) {
        *out++ = static_cast<std::uint8_t>(part.size());
        out = std::ranges::copy(part, out).out;
    }
    return {std::move(data), sw::kOk};
}

Answer refusal(const aka::AutnVerdict& verdict) {
    if (const auto* out_of_sync = std::get_if<aka::OutOfSync>(&verdict)) {
        return tagged(kTagSyncFailure, {out_of_sync->auts});
    }
    return refuse(sw::kMacIncorrect);
}

/// B-TID as the ME wrote it; empty when it has not.
ByteView stored_b_tid(const Bytes& gbabp) {
    ByteView rest = ByteView(gbabp).subspan(kBtidAt);
    return take_value(rest).value_or(ByteView());
}

} // namespace

Authentication::Authentication(const CardProfile& profile,
                               std::unique_ptr<aka::Algorithm> algorithm, const aka::Sqn& sqn_ms)
    : algorithm_(std::move(algorithm)),
      sqn_ms_(sqn_ms),
      rules_(profile.gba_u),
      gba_(profile.gba),
      gsm_access_(profile.gsm_access) {}

Answer Authentication::authenticate(const uicc::CommandApdu& command, Directory& adf) {
    const ByteView data = command.data.reveal();
    if (command.p1 != 0x00) {
        return refuse(sw::kWrongParameters);
    }
    if (command.p2 == kContext3g) {
        return security_context(data);
    }
    if (command.p2 != kContextGba) {
        return refuse(sw::kWrongParameters);
    }
    if (!gba_) {
        return refuse(sw::kContextNotSupported);
    }
    if (data.empty()) {
        return refuse(sw::kWrongLength);
    }
    switch (data[0]) {
    case kTagBootstrapping:
        return bootstrap(data.subspan(1), adf);
    case kTagNafDerivation:
        return derive_naf_key(data.subspan(1), adf);
    default:
        return refuse(sw::kWrongData);
    }
}

/// 3G security context (TS 31.102 clause 7.1.1.1): CK and IK leave the card.
Answer Authentication::security_context(ByteView data) {
    const auto challenge = parse_challenge(data);
    if (!challenge) {
        return refuse(sw::kWrongLength);
    }
    const auto verdict = aka::check_autn(*algorithm_, challenge->rand, challenge->autn, sqn_ms_);
    const auto* accepted = std::get_if<aka::Accepted>(&verdict);
    if (accepted == nullptr) {
        return refusal(verdict);
    }
    sqn_ms_ = accepted->sqn;
    const auto& out = accepted->outputs;
    if (!gsm_access_) {
        return tagged(kTagSuccess, {out.res.reveal(), out.ck.reveal(), out.ik.reveal()});
    }
    const Secret<8> kc = aka::kc_from(out.ck, out.ik);
    return tagged(kTagSuccess, {out.res.reveal(), out.ck.reveal(), out.ik.reveal(), kc.reveal()});
}

/// GBA security context, bootstrapping mode (TS 33.220 clause 5.3.2): Ks stays, only RES leaves the
/// card.
Answer Authentication::bootstrap(ByteView data, Directory& adf) {
    const auto challenge = parse_challenge(data);
    if (!challenge) {
        return refuse(sw::kWrongLength);
    }
    auto verdict =
        aka::check_autn_gba_u(*algorithm_, challenge->rand, challenge->autn, sqn_ms_, rules_);
    auto* accepted = std::get_if<aka::Accepted>(&verdict);
    if (accepted == nullptr) {
        return refusal(verdict);
    }
    sqn_ms_ = accepted->sqn;
    auto& out = accepted->outputs;
    context_ = GbaContext{kdf::ks(out.ck.reveal(), out.ik.reveal()), challenge->rand};
    if (auto* gbabp = adf.find(kEfGbabp)) {
        if (gbabp->content[0] != challenge->rand.size()) {
            // First use of the file: the ME has not written a B-TID and a lifetime yet.
            gbabp->content[0] = static_cast<std::uint8_t>(challenge->rand.size());
            gbabp->content[kBtidAt] = 0;
            gbabp->content[kBtidAt + 1] = 0;
        }
        std::ranges::copy(challenge->rand, gbabp->content.begin() + 1);
    }
    aka::gba_u_flip(out.res, rules_);
    return tagged(kTagSuccess, {out.res.reveal()});
}

/// GBA security context, NAF derivation mode (TS 33.220 annex G.2).
Answer Authentication::derive_naf_key(ByteView data, Directory& adf) {
    const auto naf_id = take_value(data);
    const auto impi = naf_id ? take_value(data) : std::nullopt;
    if (!impi || !data.empty()) {
        return refuse(sw::kWrongLength);
    }
    if (naf_id->size() <= kUaIdLength || impi->empty()) {
        return refuse(sw::kWrongData);
    }
    if (!context_) {
        return refuse(sw::kConditionsOfUse);
    }
    // As they came: a card converts nothing.
    kdf::NafId naf{std::string(as_text(naf_id->first(naf_id->size() - kUaIdLength))), {}};
    std::ranges::copy(naf_id->last(kUaIdLength), naf.ua.begin());
    const auto key = kdf::ks_ext_naf(context_->ks, context_->rand, as_text(*impi), naf);
    if (!key) {
        return refuse(sw::kWrongData);
    }
    if (!note_naf_key(adf, *naf_id)) {
        return refuse(sw::kNoMemorySpace);
    }
    return tagged(kTagSuccess, {key->reveal()});
}

/// EF_GBANL (TS 31.102 clause 4.2.83): the record of this NAF_ID, else an unused one, else the
/// least recently used. Ks_int_NAF would stand beside it; nothing here uses one, so none is kept.
bool Authentication::note_naf_key(Directory& adf, ByteView naf_id) {
    auto* gbanl = adf.find(kEfGbanl);
    const auto* gbabp = adf.find(kEfGbabp);
    if (gbanl == nullptr || gbabp == nullptr) {
        return false;
    }
    Bytes entry;
    uicc::append_tlv(entry, 0x80, naf_id);
    const std::size_t naf_id_end = entry.size();
    uicc::append_tlv(entry, 0x81, stored_b_tid(gbabp->content));
    if (entry.size() > gbanl->record_length) {
        return false;
    }
    last_use_.resize(gbanl->records(), 0);
    std::size_t chosen = 0;
    for (std::size_t i = 0; i < gbanl->records(); ++i) {
        if (std::ranges::equal(gbanl->record(i).first(naf_id_end),
                               std::span(entry).first(naf_id_end))) {
            chosen = i;
            break;
        }
        if (last_use_[i] < last_use_[chosen]) {
            chosen = i;
        }
    }
    last_use_[chosen] = ++uses_;
    const auto record = gbanl->record(chosen);
    std::ranges::fill(std::ranges::copy(entry, record.begin()).out, record.end(),
                      std::uint8_t{0xFF});
    return true;
}

} // namespace mtkey::testbed
