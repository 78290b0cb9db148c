// SPDX-License-Identifier: Apache-2.0
#include "testbed/virtual_uicc/authentication.hpp"

#include "kdf/naf_keys.hpp"
#include "testbed/virtual_uicc/card_files.hpp"

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
constexpr std::size_t kBtidAt = 1 + 16; // in EF_GBABP, behind L1 and RAND

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

Answer refusal(const aka::AutnVerdict& verdict) {
    if (const auto* out_of_sync = std::get_if<aka::OutOfSync>(&verdict)) {
        return tagged(kTagSyncFailure, {out_of_sync->auts});
    }
    return refuse(sw::kMacIncorrect);
}

/// RAND is the card's to write. A file that has no room for it stays as it is.
void write_rand(ElementaryFile& gbabp, const aka::Rand& rand) {
    Bytes& content = gbabp.content;
    if (content.size() < kBtidAt) {
        return;
    }
    if (content[0] != rand.size()) {
        // First use of the file: the ME has not written a B-TID and a lifetime yet.
        content[0] = static_cast<std::uint8_t>(rand.size());
        std::fill_n(content.begin() + kBtidAt, std::min<std::size_t>(2, content.size() - kBtidAt),
                    std::uint8_t{0});
    }
    std::ranges::copy(rand, content.begin() + 1);
}

} // namespace

std::optional<ByteView> take_value(ByteView& rest) {
    if (rest.empty() || rest.size() < 1U + rest[0]) {
        return std::nullopt;
    }
    const ByteView value = rest.subspan(1, rest[0]);
    rest = rest.subspan(1U + rest[0]);
    return value;
}

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

Authentication::Authentication(std::unique_ptr<aka::Algorithm> algorithm, const aka::SqnArray& sqn,
                               const aka::GbaURules& rules)
    : algorithm_(std::move(algorithm)), sqn_(sqn), rules_(rules) {}

Answer Authentication::authenticate(const uicc::CommandApdu& command, ApplicationState& application,
                                    Directory& adf) {
    const ByteView data = command.data.reveal();
    if (command.p1 != 0x00) {
        return refuse(sw::kWrongParameters);
    }
    if (command.p2 == kContext3g) {
        return security_context(data, application.gsm_access &&
                                          application.kind == ApplicationKind::Usim);
    }
    if (command.p2 != kContextGba) {
        return refuse(sw::kWrongParameters);
    }
    if (!application.gba) {
        return refuse(sw::kContextNotSupported);
    }
    if (data.empty()) {
        return refuse(sw::kWrongLength);
    }
    switch (data[0]) {
    case kTagBootstrapping:
        return bootstrap(data.subspan(1), application, adf);
    case kTagNafDerivation:
        return derive_naf_key(data.subspan(1), application, adf);
    default:
        return refuse(sw::kWrongData);
    }
}

/// 3G security context (TS 31.102 clause 7.1.1.1): CK and IK leave the card.
Answer Authentication::security_context(ByteView data, bool with_kc) {
    const auto challenge = parse_challenge(data);
    if (!challenge) {
        return refuse(sw::kWrongLength);
    }
    const auto verdict = aka::check_autn(*algorithm_, challenge->rand, challenge->autn, sqn_);
    const auto* accepted = std::get_if<aka::Accepted>(&verdict);
    if (accepted == nullptr) {
        return refusal(verdict);
    }
    sqn_.accept(accepted->sqn);
    const auto& out = accepted->outputs;
    if (!with_kc) {
        return tagged(kTagSuccess, {out.res.reveal(), out.ck.reveal(), out.ik.reveal()});
    }
    const Secret<8> kc = aka::kc_from(out.ck, out.ik);
    return tagged(kTagSuccess, {out.res.reveal(), out.ck.reveal(), out.ik.reveal(), kc.reveal()});
}

/// GBA security context, bootstrapping mode (TS 33.220 clause 5.3.2): Ks stays, only RES leaves the
/// card.
Answer Authentication::bootstrap(ByteView data, ApplicationState& application, Directory& adf) {
    const auto challenge = parse_challenge(data);
    if (!challenge) {
        return refuse(sw::kWrongLength);
    }
    auto verdict =
        aka::check_autn_gba_u(*algorithm_, challenge->rand, challenge->autn, sqn_, rules_);
    auto* accepted = std::get_if<aka::Accepted>(&verdict);
    if (accepted == nullptr) {
        return refusal(verdict);
    }
    sqn_.accept(accepted->sqn);
    auto& out = accepted->outputs;
    application.context = GbaContext{kdf::ks(out.ck.reveal(), out.ik.reveal()), challenge->rand};
    if (auto* gbabp = adf.find(gba_files(application.kind).gbabp)) {
        write_rand(*gbabp, challenge->rand);
    }
    aka::gba_u_flip(out.res, rules_);
    return tagged(kTagSuccess, {out.res.reveal()});
}

} // namespace mtkey::testbed
