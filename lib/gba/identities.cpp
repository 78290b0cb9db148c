// SPDX-License-Identifier: Apache-2.0
#include "gba/identities.hpp"

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

} // namespace mtkey::gba
