// SPDX-License-Identifier: Apache-2.0
#include "keycenter/documents.hpp"

#include "base/encoding.hpp"
#include "keycenter/xml_reader.hpp"

#include <algorithm>
#include <array>

namespace mtkey::keycenter {
namespace {

constexpr std::string_view kRequestRoot = "KeyRequest";
constexpr std::string_view kAnswerRoot = "KeyResponse";
constexpr std::string_view kBtid = "btid";
constexpr std::string_view kDeviceId = "deviceId";
constexpr std::string_view kProfile = "profile";
constexpr std::string_view kKey = "key";
constexpr std::string_view kLifetime = "lifetime";
constexpr std::string_view kMtId = "mtId";
constexpr std::array kRequestTexts{kBtid, kDeviceId};
constexpr std::array kAnswerTexts{kBtid, kDeviceId, kProfile, kKey, kLifetime, kMtId};

constexpr std::size_t kLongestBtid = 255;
constexpr std::size_t kLongestDeviceId = 128;
constexpr std::size_t kLongestProfile = 64;
constexpr std::size_t kLongestMtId = 64;
constexpr std::size_t kLongestFqdn = 250;
constexpr std::size_t kUaDigits = 10;

bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

Result<std::string> printable_text(std::string_view text, std::size_t limit,
                                   std::string_view name) {
    const bool good = !text.empty() && text.size() <= limit &&
                      std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
    if (!good) {
        return fail(Errc::Malformed, "key request document: " + std::string(name) +
                                         " is not 1 to " + std::to_string(limit) +
                                         " printable characters");
    }
    return std::string(text);
}

Result<std::string> printable_element(const XmlFields& fields, std::string_view name,
                                      std::size_t limit) {
    return printable_text(MTKEY_TRY(fields.text(name)), limit, name);
}

/// Compared octet by octet everywhere, so its one spelling is lower case.
Result<std::string> device_id_of(const XmlFields& fields) {
    auto device_id = MTKEY_TRY(printable_element(fields, kDeviceId, kLongestDeviceId));
    if (std::ranges::any_of(device_id, [](char c) { return c >= 'A' && c <= 'Z'; })) {
        return fail(Errc::Malformed, "key request document: deviceId is not lower case");
    }
    return device_id;
}

Result<NafIdText> checked_naf_id(const XmlFields::NafId& naf_id) {
    const bool fqdn = !naf_id.fqdn.empty() && naf_id.fqdn.size() <= kLongestFqdn &&
                      std::ranges::all_of(naf_id.fqdn, [](char c) {
                          return is_lower(c) || is_digit(c) || c == '-' || c == '.';
                      });
    const bool ua = naf_id.ua.size() == kUaDigits && std::ranges::all_of(naf_id.ua, [](char c) {
                        return is_digit(c) || (c >= 'a' && c <= 'f');
                    });
    if (!fqdn || !ua) {
        return fail(Errc::Malformed, "key request document: nafId");
    }
    return NafIdText{naf_id.fqdn, naf_id.ua};
}

Result<Secret<32>> key_of(const XmlFields& fields) {
    auto octets = from_base64(MTKEY_TRY(fields.text(kKey)));
    if (!octets) {
        return fail(Errc::Malformed, "key request document: key");
    }
    auto key = Secret<32>::from(*octets, "key request document: key");
    wipe(*octets);
    return key;
}

void append_escaped(std::string& out, std::string_view text) {
    for (const char c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        default:
            out += c;
        }
    }
}

void append_element(std::string& out, std::string_view name, std::string_view text) {
    out.append("<").append(name).append(">");
    append_escaped(out, text);
    out.append("</").append(name).append(">");
}

void append_naf_id(std::string& out, const NafIdText& naf_id) {
    out += "<nafId fqdn=\"";
    append_escaped(out, naf_id.fqdn);
    out += "\" ua=\"";
    append_escaped(out, naf_id.ua);
    out += "\"/>";
}

std::string opened(std::string_view root) {
    std::string out;
    // No copy with a key in it is left behind by growing.
    out.reserve(kDocumentLimit);
    out += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<";
    out.append(root).append(" xmlns=\"").append(kNamespace).append("\">");
    return out;
}

void close(std::string& out, std::string_view root) {
    out.append("</").append(root).append(">\n");
}

} // namespace

std::string encode(const KeyRequest& request) {
    std::string out = opened(kRequestRoot);
    append_element(out, kBtid, request.b_tid);
    append_element(out, kDeviceId, request.device_id);
    if (request.naf_id) {
        append_naf_id(out, *request.naf_id);
    }
    close(out, kRequestRoot);
    return out;
}

std::string encode(const KeyAnswer& answer) {
    std::string out = opened(kAnswerRoot);
    append_element(out, kBtid, answer.b_tid);
    append_element(out, kDeviceId, answer.device_id);
    append_naf_id(out, answer.naf_id);
    append_element(out, kProfile, answer.profile);
    std::string key = to_base64(answer.ks_local_mt.reveal());
    append_element(out, kKey, key);
    wipe(key);
    append_element(out, kLifetime, format_utc(answer.expires));
    append_element(out, kMtId, answer.mt_id);
    close(out, kAnswerRoot);
    return out;
}

Result<KeyRequest> parse_request(std::string_view document) {
    const auto fields = MTKEY_TRY(read_xml(document, kRequestRoot, kRequestTexts));
    KeyRequest request;
    request.b_tid = MTKEY_TRY(printable_element(fields, kBtid, kLongestBtid));
    request.device_id = MTKEY_TRY(device_id_of(fields));
    if (fields.naf_id) {
        request.naf_id = MTKEY_TRY(checked_naf_id(*fields.naf_id));
    }
    return request;
}

Result<KeyAnswer> parse_answer(std::string_view document) {
    const auto fields = MTKEY_TRY(read_xml(document, kAnswerRoot, kAnswerTexts));
    if (!fields.naf_id) {
        return fail(Errc::Malformed, "key request document: no nafId");
    }
    KeyAnswer answer;
    answer.b_tid = MTKEY_TRY(printable_element(fields, kBtid, kLongestBtid));
    answer.device_id = MTKEY_TRY(device_id_of(fields));
    answer.naf_id = MTKEY_TRY(checked_naf_id(*fields.naf_id));
    answer.profile = MTKEY_TRY(printable_element(fields, kProfile, kLongestProfile));
    answer.ks_local_mt = MTKEY_TRY(key_of(fields));
    answer.expires = MTKEY_TRY(parse_utc(MTKEY_TRY(fields.text(kLifetime))));
    answer.mt_id = MTKEY_TRY(printable_element(fields, kMtId, kLongestMtId));
    return answer;
}

} // namespace mtkey::keycenter
