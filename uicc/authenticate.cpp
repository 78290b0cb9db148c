// SPDX-License-Identifier: Apache-2.0
#include "uicc/authenticate.hpp"

#include "uicc/status.hpp"

#include <algorithm>

namespace mtkey::uicc {
namespace {
constexpr std::uint8_t kAuthenticate = 0x88;
// P2 (TS 31.102 table 7.1.2-1): specific reference data, then the context.
constexpr std::uint8_t kContext3g = 0x81;
constexpr std::uint8_t kContextGba = 0x84;
constexpr std::uint8_t kTagSuccess = 0xDB;
constexpr std::uint8_t kTagSyncFailure = 0xDC;
constexpr std::uint8_t kTagBootstrapping = 0xDD;
constexpr std::uint8_t kTagNafDerivation = 0xDE;
constexpr std::size_t kShortestRes = 4;
constexpr std::size_t kLongestRes = 16;
constexpr std::size_t kKey = 16;
constexpr std::size_t kKc = 8;
constexpr std::size_t kLongestField = 255;

/// Reads `L octets` fields; what is wrong shows at the end.
class FieldReader {
public:
    explicit FieldReader(ByteView rest) : rest_(rest) {}
    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    /// A field of `shortest` to `longest` octets.
    Result<ByteView> take(std::size_t shortest, std::size_t longest, const char* name) {
        if (rest_.empty() || rest_[0] < shortest || rest_[0] > longest ||
            rest_.size() - 1 < rest_[0]) {
            return fail(Errc::CardFailed,
                        std::string("AUTHENTICATE: ") + name + " has a wrong length");
        }
        const auto field = rest_.subspan(1, rest_[0]);
        rest_ = rest_.subspan(1U + rest_[0]);
        return field;
    }
    Result<void> end() const {
        if (!rest_.empty()) {
            return fail(Errc::CardFailed, "AUTHENTICATE: more than was asked for");
        }
        return {};
    }

private:
    ByteView rest_;
};

std::unexpected<Error> refused(std::uint16_t sw, bool derives_naf_key) {
    const auto code = [&]() -> std::optional<Errc> {
        switch (sw) {
        case sw::kMacFailure:
            return Errc::MacFailure;
        case sw::kContextNotSupported:
        case sw::kFunctionNotSupported:
        case sw::kWrongParameters:
        case sw::kWrongOffset:
        case sw::kInstructionNotSupported:
            return Errc::NotSupportedByCard;
        case sw::kKeyFreshness:
            return Errc::KeyFreshness;
        case sw::kConditionsNotSatisfied:
        case sw::kReferenceNotFound:
            return derives_naf_key ? std::optional(Errc::NoKsOnCard) : std::nullopt;
        default:
            return std::nullopt;
        }
    }();
    auto error = status_error(sw, "AUTHENTICATE");
    if (code) {
        error.error().code = *code;
    }
    return error;
}

/// The answer with its tag still in front.
Result<SecretBytes> authenticate(CardChannel& card, std::uint8_t context, SecretBytes data,
                                 bool derives_naf_key) {
    CommandApdu command;
    command.ins = kAuthenticate;
    command.p2 = context;
    command.data = std::move(data);
    command.le = 256;
    auto response = MTKEY_TRY(card.transmit(command));
    if (!response.ok()) {
        return refused(response.sw, derives_naf_key);
    }
    if (response.data.empty()) {
        return fail(Errc::CardFailed, "AUTHENTICATE: no answer data", response.sw);
    }
    return std::move(response.data);
}

SecretBytes challenge_data(std::optional<std::uint8_t> tag, const Challenge& challenge) {
    SecretBytes data((tag ? 1 : 0) + 1 + challenge.rand.size() + 1 + challenge.autn.size());
    auto out = data.reveal_writable().begin();
    if (tag) {
        *out++ = *tag;
    }
    *out++ = static_cast<std::uint8_t>(challenge.rand.size());
    out = std::ranges::copy(challenge.rand, out).out;
    *out++ = static_cast<std::uint8_t>(challenge.autn.size());
    std::ranges::copy(challenge.autn, out);
    return data;
}

Result<SyncFailure> parse_sync_failure(ByteView fields) {
    FieldReader reader(fields);
    SyncFailure failure{};
    const auto auts = MTKEY_TRY(reader.take(failure.auts.size(), failure.auts.size(), "AUTS"));
    MTKEY_CHECK(reader.end());
    std::ranges::copy(auts, failure.auts.begin());
    return failure;
}

std::unexpected<Error> unknown_tag() {
    return fail(Errc::CardFailed, "AUTHENTICATE: an answer of another kind");
}
} // namespace

Result<AkaOutcome> authenticate_3g(CardChannel& card, const Challenge& challenge) {
    const auto answer =
        MTKEY_TRY(authenticate(card, kContext3g, challenge_data(std::nullopt, challenge), false));
    const auto fields = answer.reveal().subspan(1);
    if (answer.reveal()[0] == kTagSyncFailure) {
        return MTKEY_TRY(parse_sync_failure(fields));
    }
    if (answer.reveal()[0] != kTagSuccess) {
        return unknown_tag();
    }
    FieldReader reader(fields);
    const auto res = MTKEY_TRY(reader.take(kShortestRes, kLongestRes, "RES"));
    const auto ck = MTKEY_TRY(reader.take(kKey, kKey, "CK"));
    const auto ik = MTKEY_TRY(reader.take(kKey, kKey, "IK"));
    if (!reader.at_end()) { // service 27, GSM access: Kc, of no use here
        MTKEY_CHECK(reader.take(kKc, kKc, "Kc"));
    }
    MTKEY_CHECK(reader.end());
    return AkaKeys{SecretBytes(res), Secret<16>(ck.first<kKey>()), Secret<16>(ik.first<kKey>())};
}

Result<BootstrapOutcome> gba_bootstrap(CardChannel& card, const Challenge& challenge) {
    const auto answer = MTKEY_TRY(
        authenticate(card, kContextGba, challenge_data(kTagBootstrapping, challenge), false));
    const auto fields = answer.reveal().subspan(1);
    if (answer.reveal()[0] == kTagSyncFailure) {
        return MTKEY_TRY(parse_sync_failure(fields));
    }
    if (answer.reveal()[0] != kTagSuccess) {
        return unknown_tag();
    }
    FieldReader reader(fields);
    const auto res = MTKEY_TRY(reader.take(kShortestRes, kLongestRes, "RES"));
    // CK and IK behind it would mean that Ks is not kept in the card: no GBA_U.
    MTKEY_CHECK(reader.end());
    return Bootstrapped{SecretBytes(res)};
}

Result<Secret<32>> gba_derive_naf(CardChannel& card, ByteView naf_id, std::string_view impi) {
    if (naf_id.empty() || impi.empty() || 3 + naf_id.size() + impi.size() > kLongestField) {
        return fail(Errc::InvalidArgument, "NAF_ID and IMPI do not fit into one AUTHENTICATE");
    }
    SecretBytes data(3 + naf_id.size() + impi.size());
    auto out = data.reveal_writable().begin();
    *out++ = kTagNafDerivation;
    *out++ = static_cast<std::uint8_t>(naf_id.size());
    out = std::ranges::copy(naf_id, out).out;
    *out++ = static_cast<std::uint8_t>(impi.size());
    std::ranges::copy(as_octets(impi), out);
    const auto answer = MTKEY_TRY(authenticate(card, kContextGba, std::move(data), true));
    if (answer.reveal()[0] != kTagSuccess) {
        return unknown_tag();
    }
    FieldReader reader(answer.reveal().subspan(1));
    const auto key = MTKEY_TRY(reader.take(32, 32, "Ks_ext_NAF"));
    MTKEY_CHECK(reader.end());
    return Secret<32>(key.first<32>());
}

} // namespace mtkey::uicc
