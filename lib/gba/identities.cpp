// SPDX-License-Identifier: Apache-2.0
#include "gba/identities.hpp"

#include "kdf/naf_id.hpp"

#include <algorithm>

namespace mtkey::gba {
namespace {

/// "mnc<MNC>.mcc<MCC>" of the home network, the MNC always with three digits (TS 23.003
/// clause 13.2).
Result<std::string> home_network(std::string_view imsi, unsigned mnc_length) {
    const bool digits =
        std::all_of(imsi.begin(), imsi.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || imsi.size() < 6 || imsi.size() > 15) {
        return fail(Errc::InvalidArgument, "an IMSI has 6 to 15 digits");
    }
    if (mnc_length != 2 && mnc_length != 3) {
        return fail(Errc::InvalidArgument, "an MNC has 2 or 3 digits");
    }
    std::string mnc(imsi.substr(3, mnc_length));
    if (mnc_length == 2) {
        mnc.insert(0, 1, '0');
    }
    return "mnc" + mnc + ".mcc" + std::string(imsi.substr(0, 3));
}

} // namespace

Result<std::string> impi_from_imsi(std::string_view imsi, unsigned mnc_length) {
    const auto network = MTKEY_TRY(home_network(imsi, mnc_length));
    return std::string(imsi) + "@ims." + network + ".3gppnetwork.org";
}

Result<std::string> bsf_fqdn_from_imsi(std::string_view imsi, unsigned mnc_length) {
    const auto network = MTKEY_TRY(home_network(imsi, mnc_length));
    return "bsf." + network + ".pub.3gppnetwork.org";
}

Result<std::string> bsf_fqdn_from_impi(std::string_view impi) {
    constexpr std::string_view kNetwork = ".3gppnetwork.org";
    constexpr std::string_view kPublic = ".pub.3gppnetwork.org";
    const auto at = impi.rfind('@');
    const auto domain = kdf::canonical_fqdn(at == std::string_view::npos ? std::string_view()
                                                                         : impi.substr(at + 1));
    if (!domain) {
        return fail(Errc::InvalidArgument, "the IMPI has no domain name");
    }
    std::string_view host = *domain;
    std::string_view end;
    if (host.ends_with(kNetwork) && !host.ends_with(kPublic)) {
        host.remove_suffix(kNetwork.size());
        end = kPublic;
    }
    return "bsf." + std::string(host) + std::string(end);
}

} // namespace mtkey::gba
