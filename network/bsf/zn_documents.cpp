// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/zn_documents.hpp"

#include "network/common/json.hpp"

namespace mtkey::bsf {
namespace {

using network::JsonValue;
using Kind = JsonValue::Kind;

constexpr std::size_t kLongestRequest = 8 * 1024;
constexpr int kDeepest = 8;
constexpr std::size_t kLongestBtid = 512;
constexpr std::size_t kMostGsIds = 64;
constexpr std::size_t kKeyDigits = 64;

std::unexpected<Error> malformed(const char* cause) {
    return fail(Errc::Malformed, cause);
}

/// The string member `name`, or its absence.
Result<std::string_view> text_member(const JsonValue& object, const char* name) {
    const auto* const found = object.find(name);
    if (found == nullptr) {
        return malformed("MANDATORY_IE_MISSING");
    }
    if (!found->is(Kind::Text)) {
        return malformed("MANDATORY_IE_INCORRECT");
    }
    return std::string_view(found->text);
}

Result<kdf::NafId> read_naf_id(const JsonValue& request) {
    const auto* const found = request.find("nafId");
    if (found == nullptr) {
        return malformed("MANDATORY_IE_MISSING");
    }
    if (!found->is(Kind::Object)) {
        return malformed("MANDATORY_IE_INCORRECT");
    }
    auto fqdn = kdf::canonical_fqdn(MTKEY_TRY(text_member(*found, "nafFqdn")));
    const auto ua = kdf::parse_ua_id(MTKEY_TRY(text_member(*found, "uaSecProtId")));
    if (!fqdn || !ua) {
        return malformed("MANDATORY_IE_INCORRECT");
    }
    return kdf::NafId{std::move(*fqdn), *ua};
}

Result<BootstrappingInfoRequest> read_request(const JsonValue& request) {
    if (!request.is(Kind::Object)) {
        return malformed("INVALID_MSG_FORMAT");
    }
    BootstrappingInfoRequest out;
    const auto b_tid = MTKEY_TRY(text_member(request, "btId"));
    if (b_tid.empty() || b_tid.size() > kLongestBtid) {
        return malformed("MANDATORY_IE_INCORRECT");
    }
    out.b_tid = b_tid;
    out.naf_id = MTKEY_TRY(read_naf_id(request));
    if (const auto* const aware = request.find("gbaUAware"); aware != nullptr) {
        if (!aware->is(Kind::Boolean)) {
            return malformed("OPTIONAL_IE_INCORRECT");
        }
        out.gba_u_aware = aware->number != 0;
    }
    if (const auto* const ids = request.find("gsIds"); ids != nullptr) {
        if (!ids->is(Kind::Array) || ids->elements.empty() || ids->elements.size() > kMostGsIds) {
            return malformed("OPTIONAL_IE_INCORRECT");
        }
        for (const auto& id : ids->elements) {
            if (!id.is(Kind::Whole) || id.number > 0xFFFF'FFFF) {
                return malformed("OPTIONAL_IE_INCORRECT");
            }
        }
    }
    return out;
}

/// Writes a key over the zeros that hold its place in `text` behind the member `name`.
void put_key(std::string& text, std::string_view name, const Secret<32>& key) {
    constexpr std::string_view digits = "0123456789abcdef";
    auto at = text.find(name) + name.size() + 3; // the name's quote, the colon, the value's quote
    for (const auto octet : key.reveal()) {
        text[at++] = digits[octet >> 4];
        text[at++] = digits[octet & 0x0F];
    }
}

} // namespace

Result<BootstrappingInfoRequest> parse_bootstrapping_info_request(std::string_view text) {
    if (text.size() > kLongestRequest) {
        return malformed("INVALID_MSG_FORMAT");
    }
    const auto request = network::parse_json(text, kDeepest);
    return request ? read_request(*request) : malformed("INVALID_MSG_FORMAT");
}

std::string write_bootstrapping_info(const BootstrappingInfo& info) {
    // Zeros first, and the key over them in the finished text: no other buffer sees it.
    const std::string place = "\"" + std::string(kKeyDigits, '0') + "\"";
    std::string text = "{\"meKeyMaterial\":" + place;
    if (info.ks_int_naf) {
        text += ",\"uiccKeyMaterial\":" + place;
    }
    text += ",\"keyExpiryTime\":" + network::json_text(format_utc(info.expires)) +
            ",\"bootstrappingInfoCreationTime\":" + network::json_text(format_utc(info.created)) +
            ",\"gbaType\":" + (info.gba_2g ? "\"2G_GBA\"" : "\"3G_GBA\"") +
            ",\"impi\":" + network::json_text(info.impi) + "}";
    put_key(text, "meKeyMaterial", info.ks_ext_naf);
    if (info.ks_int_naf) {
        put_key(text, "uiccKeyMaterial", *info.ks_int_naf);
    }
    return text;
}

std::string write_problem(unsigned status, std::string_view cause, std::string_view title) {
    return "{\"title\":" + network::json_text(title) + ",\"status\":" + std::to_string(status) +
           ",\"cause\":" + network::json_text(cause) + "}";
}

} // namespace mtkey::bsf
