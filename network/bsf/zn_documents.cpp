// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/zn_documents.hpp"

#include "network/common/zn.hpp"

#include <nlohmann/json.hpp>
#include <vector>

namespace mtkey::bsf {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestRequest = 8 * 1024;
constexpr int kDeepest = 8;
constexpr std::size_t kLongestBtid = 512;
constexpr std::size_t kMostGsIds = 64;
constexpr std::size_t kKeyDigits = 64;

std::unexpected<Error> malformed(const char* cause) {
    return fail(Errc::Malformed, cause);
}

/// The string member `name`, or its absence.
Result<std::string_view> text_member(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end()) {
        return malformed("MANDATORY_IE_MISSING");
    }
    if (!found->is_string()) {
        return malformed("MANDATORY_IE_INCORRECT");
    }
    return std::string_view(found->get_ref<const std::string&>());
}

Result<kdf::NafId> read_naf_id(const json& request) {
    const auto found = request.find("nafId");
    if (found == request.end()) {
        return malformed("MANDATORY_IE_MISSING");
    }
    if (!found->is_object()) {
        return malformed("MANDATORY_IE_INCORRECT");
    }
    auto fqdn = kdf::canonical_fqdn(MTKEY_TRY(text_member(*found, "nafFqdn")));
    const auto ua = kdf::parse_ua_id(MTKEY_TRY(text_member(*found, "uaSecProtId")));
    if (!fqdn || !ua) {
        return malformed("MANDATORY_IE_INCORRECT");
    }
    return kdf::NafId{std::move(*fqdn), *ua};
}

Result<BootstrappingInfoRequest> read_request(const json& request) {
    if (!request.is_object()) {
        return malformed("INVALID_MSG_FORMAT");
    }
    BootstrappingInfoRequest out;
    const auto b_tid = MTKEY_TRY(text_member(request, "btId"));
    if (b_tid.empty() || b_tid.size() > kLongestBtid) {
        return malformed("MANDATORY_IE_INCORRECT");
    }
    out.b_tid = b_tid;
    out.naf_id = MTKEY_TRY(read_naf_id(request));
    if (const auto aware = request.find("gbaUAware"); aware != request.end()) {
        if (!aware->is_boolean()) {
            return malformed("OPTIONAL_IE_INCORRECT");
        }
        out.gba_u_aware = aware->get<bool>();
    }
    if (const auto ids = request.find("gsIds"); ids != request.end()) {
        if (!ids->is_array() || ids->empty() || ids->size() > kMostGsIds) {
            return malformed("OPTIONAL_IE_INCORRECT");
        }
        for (const auto& id : *ids) {
            if (!id.is_number_unsigned() || id.get<std::uint64_t>() > 0xFFFF'FFFF) {
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
    try {
        json request;
        if (!network::parse_json(text, kDeepest, request)) {
            return malformed("INVALID_MSG_FORMAT");
        }
        return read_request(request);
    } catch (const json::exception&) {
        return malformed("INVALID_MSG_FORMAT");
    }
}

std::string write_bootstrapping_info(const BootstrappingInfo& info) {
    // The library's own strings never see a key: it writes zeros, and we write over them in the
    // finished text.
    const std::string place(kKeyDigits, '0');
    nlohmann::ordered_json out{{"meKeyMaterial", place}};
    if (info.ks_int_naf) {
        out["uiccKeyMaterial"] = place;
    }
    out["keyExpiryTime"] = format_utc(info.expires);
    out["bootstrappingInfoCreationTime"] = format_utc(info.created);
    out["gbaType"] = info.gba_2g ? "2G_GBA" : "3G_GBA";
    out["impi"] = info.impi;
    std::string text = out.dump();
    put_key(text, "meKeyMaterial", info.ks_ext_naf);
    if (info.ks_int_naf) {
        put_key(text, "uiccKeyMaterial", *info.ks_int_naf);
    }
    return text;
}

std::string write_problem(unsigned status, std::string_view cause, std::string_view title) {
    return nlohmann::ordered_json{{"title", title}, {"status", status}, {"cause", cause}}.dump();
}

} // namespace mtkey::bsf
