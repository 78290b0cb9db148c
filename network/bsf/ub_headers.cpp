// SPDX-License-Identifier: Apache-2.0
#include "network/bsf/ub_headers.hpp"

#include "aka/digest.hpp"
#include "base/encoding.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

namespace mtkey::bsf {
namespace {

constexpr std::size_t kMacEnd = 31; // of RAND || AUTN, the last octet

/// `nonce` is ours: base64 of at least 32 octets.
std::string nonce_with(std::string_view nonce, const Faults& faults) {
    auto octets = from_base64(nonce).value_or(Bytes{});
    if (octets.size() > kMacEnd && faults.has(Fault::WrongMac)) {
        octets[kMacEnd] ^= 1;
    }
    if (octets.size() > kMacEnd && faults.has(Fault::ShortNonce)) {
        octets.resize(kMacEnd);
    }
    return to_base64(octets);
}

struct Parameter {
    std::string name;
    std::string value;
    bool quoted = true;
};

void change(std::vector<Parameter>& parameters, const Faults& faults) {
    for (auto& parameter : parameters) {
        // The '=' of base64 cannot stand in a token: a nonce without quotes would be another fault.
        if (faults.has(Fault::UnquotedParameters) && parameter.name != "nonce") {
            parameter.quoted = false;
        }
        if (faults.has(Fault::UpperCaseParameters)) {
            std::ranges::transform(parameter.name, parameter.name.begin(), [](unsigned char c) {
                return static_cast<char>(std::toupper(c));
            });
        }
    }
    if (faults.has(Fault::ReorderedParameters)) {
        std::ranges::reverse(parameters);
    }
}

} // namespace

std::string challenge_header(const ChallengeParameters& parameters, const Faults& faults) {
    std::vector<Parameter> list;
    list.push_back({"realm", faults.has(Fault::WrongRealm)
                                 ? "other." + std::string(parameters.realm)
                                 : std::string(parameters.realm)});
    list.push_back({"nonce", nonce_with(parameters.nonce, faults)});
    list.push_back({"algorithm", faults.has(Fault::WrongAlgorithm) ? "MD5" : "AKAv1-MD5", false});
    if (!faults.has(Fault::NoQop)) {
        list.push_back({"qop", faults.has(Fault::QopAuth)   ? "auth"
                               : faults.has(Fault::QopList) ? "auth,auth-int"
                                                            : "auth-int"});
    }
    if (!parameters.opaque.empty()) {
        list.push_back({"opaque", std::string(parameters.opaque)});
    }
    change(list, faults);
    std::string out = "Digest ";
    for (const auto& [name, value, quoted] : list) {
        out.append(&name == &list.front().name ? "" : ", ").append(name).append("=");
        out.append(quoted ? "\"" : "").append(value).append(quoted ? "\"" : "");
    }
    return out;
}

Result<std::string> authentication_info(const InfoParameters& parameters, const Faults& faults) {
    std::string rspauth(parameters.rspauth);
    if (faults.has(Fault::WrongRspauth)) {
        rspauth.back() = rspauth.back() == '0' ? '1' : '0';
    }
    const std::string cnonce =
        faults.has(Fault::WrongCnonce) ? "00" : std::string(parameters.cnonce);
    auto out = "qop=auth-int, rspauth=\"" + rspauth +
               "\", cnonce=" + MTKEY_TRY(aka::quote(cnonce)) + ", nc=00000001";
    if (!parameters.nextnonce.empty()) {
        out += ", nextnonce=\"" + nonce_with(parameters.nextnonce, faults) + "\"";
    }
    return out;
}

} // namespace mtkey::bsf
