// SPDX-License-Identifier: Apache-2.0
#include "network/nafkc/zn_documents.hpp"

#include "base/encoding.hpp"
#include "network/common/json.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace mtkey::nafkc {
namespace {

using network::JsonValue;
using Kind = JsonValue::Kind;

constexpr std::size_t kLongestAnswer = 16 * 1024;
constexpr int kDeepest = 16;
constexpr std::size_t kKeyDigits = 64;
/// meKeyMaterial, uiccKeyMaterial and what else an extension may carry.
constexpr std::size_t kMostKeys = 8;
constexpr std::size_t kLongestImpi = 255;

std::unexpected<Error> bad(const char* why) {
    return fail(Errc::Malformed, std::string("answer on Zn: ") + why);
}

bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// Keys taken out of the text; in their place stands the number of the key in 64 digits.
class LiftedKeys {
public:
    /// False when there are too many.
    bool lift(std::string& text) {
        std::size_t run = 0;
        bool room = true;
        for (std::size_t at = 0; at < text.size(); ++at) {
            run = is_hex(text[at]) ? run + 1 : 0;
            const bool literal = run == kKeyDigits && at >= kKeyDigits &&
                                 text[at - kKeyDigits] == '"' && at + 1 < text.size() &&
                                 text[at + 1] == '"';
            if (literal) {
                room = take(std::span(text).subspan(at + 1 - kKeyDigits, kKeyDigits)) && room;
            }
        }
        return room;
    }

    [[nodiscard]] const Secret<32>* find(std::string_view literal) const {
        for (std::size_t i = 0; i < keys_.size(); ++i) {
            if (literal == place_of(i)) {
                return &keys_[i];
            }
        }
        return nullptr;
    }

private:
    static std::string place_of(std::size_t number) {
        std::string place(kKeyDigits, '0');
        place.back() = static_cast<char>('0' + number);
        return place;
    }

    /// Also what is one too many leaves the text.
    bool take(std::span<char> digits) {
        if (auto octets = secret_from_hex({digits.data(), digits.size()});
            octets && keys_.size() < kMostKeys) {
            keys_.emplace_back(octets->reveal().first<32>());
            std::ranges::copy(place_of(keys_.size() - 1), digits.begin());
            return true;
        }
        std::ranges::fill(digits, 'x');
        return false;
    }

    std::vector<Secret<32>> keys_;
};

/// Null when the member is absent; an Error when it is there and no string.
Result<const std::string*> text_member(const JsonValue& object, const char* name) {
    const auto* const found = object.find(name);
    if (found == nullptr) {
        return nullptr;
    }
    if (!found->is(Kind::Text)) {
        return bad("a member is no text");
    }
    return &found->text;
}

Result<std::optional<UtcTime>> time_member(const JsonValue& object, const char* name) {
    const auto* const text = MTKEY_TRY(text_member(object, name));
    if (text == nullptr) {
        return std::optional<UtcTime>();
    }
    const auto time = parse_utc(*text);
    if (!time) {
        return bad("a time is not in UTC");
    }
    return std::optional(*time);
}

Result<BootstrappingInfo> read(const JsonValue& object, const LiftedKeys& keys) {
    if (!object.is(Kind::Object)) {
        return bad("no JSON object");
    }
    BootstrappingInfo info;
    const auto* const me = MTKEY_TRY(text_member(object, "meKeyMaterial"));
    const auto* const key = me == nullptr ? nullptr : keys.find(*me);
    if (key == nullptr) {
        return bad("no meKeyMaterial of 64 hex digits");
    }
    info.ks_naf = key->clone();
    if (const auto* const uicc = MTKEY_TRY(text_member(object, "uiccKeyMaterial"));
        uicc != nullptr) {
        info.has_uicc_key = keys.find(*uicc) != nullptr;
        if (!info.has_uicc_key) {
            return bad("uiccKeyMaterial is not 64 hex digits");
        }
    }
    if (const auto* const type = MTKEY_TRY(text_member(object, "gbaType")); type != nullptr) {
        info.gba_2g = *type == "2G_GBA";
        if (!info.gba_2g && *type != "3G_GBA") {
            return bad("gbaType is neither 3G_GBA nor 2G_GBA");
        }
    }
    info.expires = MTKEY_TRY(time_member(object, "keyExpiryTime"));
    info.created = MTKEY_TRY(time_member(object, "bootstrappingInfoCreationTime"));
    if (!info.expires && !info.created) {
        return bad("neither keyExpiryTime nor bootstrappingInfoCreationTime");
    }
    // Optional in TS 29.309; without it there is no stable name for the MT.
    const auto* const impi = MTKEY_TRY(text_member(object, "impi"));
    if (impi == nullptr || impi->empty() || impi->size() > kLongestImpi) {
        return bad("no impi");
    }
    info.impi = *impi;
    return info;
}

} // namespace

std::string write_retrieval(std::string_view b_tid, const kdf::NafId& naf_id, bool gba_u_aware) {
    using network::json_text;
    return "{\"btId\":" + json_text(b_tid) + ",\"nafId\":{\"nafFqdn\":" + json_text(naf_id.fqdn) +
           ",\"uaSecProtId\":" + json_text(to_hex(naf_id.ua)) +
           "},\"gbaUAware\":" + (gba_u_aware ? "true" : "false") + "}";
}

Result<BootstrappingInfo> take_retrieved(std::string& text) {
    LiftedKeys keys;
    const bool room = keys.lift(text);
    if (!room || text.size() > kLongestAnswer) {
        return bad("too large");
    }
    const auto object = network::parse_json(text, kDeepest);
    return object ? read(*object, keys) : bad("not JSON");
}

} // namespace mtkey::nafkc
