// SPDX-License-Identifier: Apache-2.0
#include "kdf/naf_id.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"

#include <algorithm>

namespace mtkey::kdf {
namespace {

/// The card's DE command carries the length of NAF_ID in one octet (TS 31.102 clause 7.1.2): 250
/// + 5.
constexpr std::size_t kLongestFqdn = 250;
constexpr std::size_t kLongestLabel = 63; // RFC 1035 section 2.3.4

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return c >= 'a' && c <= 'z';
}

bool is_label(std::string_view label) {
    return !label.empty() && label.size() <= kLongestLabel && label.front() != '-' &&
           label.back() != '-' && std::ranges::all_of(label, [](char c) {
               return is_digit(c) || is_letter(c) || c == '-';
           });
}

/// True for at least two labels whose last one is no number: 192.0.2.1 is an address, not a name.
bool is_fqdn(std::string_view text) {
    std::size_t labels = 0;
    std::string_view label;
    for (;;) {
        const auto dot = text.find('.');
        label = text.substr(0, dot);
        if (!is_label(label)) {
            return false;
        }
        ++labels;
        if (dot == std::string_view::npos) {
            break;
        }
        text.remove_prefix(dot + 1);
    }
    return labels >= 2 && !std::ranges::all_of(label, is_digit);
}

} // namespace

Bytes NafId::octets() const {
    Bytes out;
    out.reserve(fqdn.size() + ua.size());
    append(out, as_octets(fqdn));
    append(out, ua);
    return out;
}

std::string NafId::text() const {
    return fqdn + "/" + to_hex(ua);
}

// DRAFT-GAP(naf-id-form): both ends must put the same octets into the derivation, and the draft
// names no form. One trailing dot and upper case are forgiven, everything else is refused.
Result<std::string> canonical_fqdn(std::string_view text) {
    if (text.size() > kLongestFqdn + 1) {
        return fail(Errc::Malformed, "FQDN above 250 octets");
    }
    std::string out(text);
    if (out.ends_with('.')) {
        out.pop_back();
    }
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') {
            c = static_cast<char>(c - 'A' + 'a');
        }
    }
    if (out.size() > kLongestFqdn || !is_fqdn(out)) {
        return fail(Errc::Malformed, "not a fully qualified domain name: " + printable(text));
    }
    return out;
}

Result<UaId> parse_ua_id(std::string_view hex) {
    UaId ua{};
    if (hex.size() != 2 * ua.size()) {
        return fail(Errc::Malformed, "Ua security protocol identifier must be ten hex digits");
    }
    const Bytes octets = MTKEY_TRY(from_hex(hex));
    std::ranges::copy(octets, ua.begin());
    if (ua[0] == 0x00 && ua != UaId{}) {
        return fail(Errc::Malformed,
                    "Ua security protocol identifier 00 is defined as 0000000000 only");
    }
    return ua;
}

Result<NafId> make_naf_id(std::string_view fqdn, ByteView ua) {
    NafId id;
    id.fqdn = MTKEY_TRY(canonical_fqdn(fqdn));
    id.ua = MTKEY_TRY(parse_ua_id(to_hex(ua.first(std::min<std::size_t>(ua.size(), 6)))));
    return id;
}

} // namespace mtkey::kdf
